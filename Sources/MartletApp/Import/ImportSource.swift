import MartletCore

/// What `--from` names, opened.
package struct ImportSource: Sendable {
    /// As a person knows it: the path, or `standard input`.
    package let name: String
    /// Open for reading, and kept open by the caller until the import has returned.
    package let descriptor: Int32

    package init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }
}

package enum ImportFormat: Sendable, CaseIterable {
    /// Each line is the args of a job.
    case ndjson
    /// Each line is an object with the args and whatever else differs from job to job.
    case envelope
    /// RFC 4180 with a header; each row is an object of strings.
    case csv
}

/// What a job has when its line does not say otherwise.
package struct ImportDefaults: Sendable {
    package let kind: String
    package let queue: String
    package let priority: Priority
    package let start: NewJob.Start
    package let maxAttempts: Int?
    package let timeout: Duration?
    package let expires: NewJob.Expiry?

    package init(
        kind: String, queue: String = NewJob.defaultQueue, priority: Priority = .default, start: NewJob.Start = .now,
        maxAttempts: Int? = nil, timeout: Duration? = nil, expires: NewJob.Expiry? = nil
    ) {
        self.kind = kind
        self.queue = queue
        self.priority = priority
        self.start = start
        self.maxAttempts = maxAttempts
        self.timeout = timeout
        self.expires = expires
    }

    func job(_ args: JSONText) throws(InvalidInput) -> NewJob {
        try NewJob(
            kind: kind, args: args, queue: queue, priority: priority, start: start, maxAttempts: maxAttempts,
            timeout: timeout, expires: expires)
    }
}

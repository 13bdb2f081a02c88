import Foundation
import MartletCore
import MartletStore

/// Puts jobs into the queue. Safe to share; calls that wait together are committed together.
public final class Client: Sendable {
    package let store: any JobStore
    private let encoder = JSONEncoder()

    /// Opens the database. On SQLite, makes or updates its tables where that is needed; on PostgreSQL `martlet migrate up` does.
    public init(_ database: Database) async throws(MartletError) {
        store = try await database.open()
    }

    /// For a store that is open already; ``close()`` closes it.
    package init(store: any JobStore) { self.store = store }

    /// Adds one job. When this returns it is on disk, and survives the end of everything.
    /// - Parameters:
    ///   - priority: 0, the most urgent, to 9.
    ///   - delay: due only then, counted by the database's clock.
    ///   - time: due only then; not together with a delay.
    ///   - maxAttempts: 1 to 1 000; nil: as the kind says.
    ///   - timeout: longest time one run may take; nil: as the kind says.
    ///   - expires: not started after that, neither first nor again: the job then fails as `expired`. Nil: never.
    /// - Throws: ``InvalidInput`` naming the field, ``MartletError``, or what the job's own encoding throws.
    @discardableResult
    public func enqueue<J: Job>(
        _ job: J, queue: String = "default", priority: Int = 5, in delay: Duration? = nil, at time: Timestamp? = nil,
        maxAttempts: Int? = nil, timeout: Duration? = nil, expires: NewJob.Expiry? = nil
    ) async throws -> JobID {
        try await enqueue(
            contentsOf: CollectionOfOne(job), queue: queue, priority: priority, in: delay, at: time,
            maxAttempts: maxAttempts, timeout: timeout, expires: expires)[0]
    }

    /// Adds many jobs, all or none. At most ``Limits/enqueueBatch`` at a time.
    /// - Returns: their ids, in order.
    @discardableResult
    public func enqueue<Jobs: Collection>(
        contentsOf jobs: Jobs, queue: String = "default", priority: Int = 5, in delay: Duration? = nil,
        at time: Timestamp? = nil, maxAttempts: Int? = nil, timeout: Duration? = nil,
        expires: NewJob.Expiry? = nil
    ) async throws -> [JobID] where Jobs.Element: Job {
        let template = try NewJob(
            kind: Jobs.Element.kind, queue: queue, priority: Priority(validating: priority),
            start: Self.start(delay: delay, time: time), maxAttempts: maxAttempts, timeout: timeout, expires: expires)
        let new = try jobs.map { try template.with(args: JSONText(encoding: $0, with: encoder)) }
        return try await enqueue(new)
    }

    /// Adds jobs of any kinds, all or none; also of kinds that no type of this program stands for.
    @discardableResult
    public func enqueue(_ jobs: [NewJob]) async throws -> [JobID] {
        guard jobs.count <= Limits.enqueueBatch else {
            throw InvalidInput(field: "jobs", reason: "\(jobs.count) in one call; at most \(Limits.enqueueBatch)")
        }
        do { return try await store.enqueue(jobs) } catch { throw MartletError(error) }
    }

    /// Finishes what was begun and lets go of the database.
    public func close() async { await store.close() }

    static func start(delay: Duration?, time: Timestamp?) throws(InvalidInput) -> NewJob.Start {
        switch (delay, time) {
        case (nil, nil): .now
        case (let delay?, nil): .after(delay)
        case (nil, let time?): .at(time)
        case (.some, .some): throw InvalidInput(field: "at", reason: "cannot be given together with a delay")
        }
    }
}

extension JSONText {
    package init(encoding value: some Encodable, with encoder: JSONEncoder) throws {
        let data = try encoder.encode(value)
        guard data.count <= Limits.argsBytes else {
            throw InvalidInput(field: "args", reason: "\(data.count) bytes of JSON; at most \(Limits.argsBytes)")
        }
        let bytes = [UInt8](data)
        if Self.holdsNUL(bytes) {
            // Refuses it, and says where.
            try self.init(validating: bytes)
        } else {
            self.init(trusted: bytes)
        }
    }

    /// The one thing that an encoder writes and a database does not keep.
    private static func holdsNUL(_ json: [UInt8]) -> Bool {
        var rest = json[...]
        while let backslash = rest.firstIndex(of: UInt8(ascii: "\\")) {
            if rest[backslash...].starts(with: nul) { return true }
            rest = rest[backslash...].dropFirst(2)
        }
        return false
    }

    private static let nul = Array("\\u0000".utf8)
}

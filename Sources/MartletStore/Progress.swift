import MartletCore

/// How far a running job says it is. Kept while it runs.
package struct JobProgress: Sendable, Equatable {
    package let lease: LeaseID
    /// The job's index in ``Lease/jobs``.
    package let index: Int
    /// 0…1.
    package let fraction: Double?
    package let note: String?

    /// What a handler says is made to fit and never refused: a fraction outside 0…1 becomes the nearer end, a note is cut to
    /// ``Limits/progressNoteBytes``, and a NUL in it, which PostgreSQL cannot keep, is replaced by its picture.
    package init(lease: LeaseID, index: Int, fraction: Double? = nil, note: String? = nil) {
        self.lease = lease
        self.index = index
        self.fraction = fraction.flatMap { $0.isNaN ? nil : min(1, max(0, $0)) }
        self.note = note.map { note in
            let text =
                note.utf8.contains(0)
                ? note.split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "\u{2400}") : note
            return CappedText.head(text, bytes: Limits.progressNoteBytes)
        }
    }
}

/// What a running job said last.
package struct ProgressReport: Sendable, Equatable {
    /// 0…1.
    package let fraction: Double?
    package let note: String?
    package let at: Timestamp

    package init(fraction: Double?, note: String?, at: Timestamp) {
        self.fraction = fraction
        self.note = note
        self.at = at
    }
}

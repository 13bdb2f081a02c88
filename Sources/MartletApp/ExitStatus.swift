import MartletStore

/// What the program says to the shell. Scripts depend on these: they are in `martlet --help` and do not change.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case done = 0
    /// It was understood and tried, and did not work: a bad line in an import, a problem found by `doctor`.
    case failed = 1
    /// It cannot be understood: an option, a value, the configuration.
    case usage = 2
    case notFound = 3
    /// The job's state does not allow it, or nobody said yes.
    case refused = 4
    /// The database cannot be reached, read or written.
    case database = 5
    /// A signal asked for the end: what had been begun was finished, and the rest was said.
    case interrupted = 130
    case terminated = 143

    static let help = """
        EXIT STATUS:
          0    done
          1    failed: a bad line in an import, a problem found by doctor, a
               failed job under worker --fail-on-error
          2    usage: a bad option, argument, value, configuration or URL scheme
          3    not found
          4    refused: the job's state does not allow it, or nobody confirmed
          5    database unavailable or unusable
          130  an import or a bench was stopped by SIGINT, or a worker by a
               second one
          143  the same by SIGTERM
        """
}

/// Ends the run with a message for a person. Every error becomes one of these, in one place.
package struct Failure: Error, Sendable, CustomStringConvertible {
    package let status: ExitStatus
    package let message: String

    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    package init(_ error: StoreError) { self.init(.database, error.message) }

    package var description: String { message }
}

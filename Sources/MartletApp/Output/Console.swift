import MartletCore

/// The world as one run of the program sees it: tests hand in their own.
package struct Console: Sendable {
    package let environment: [String: String]
    /// Data, and nothing else.
    package let output: Outlet
    /// Everything else.
    package let errors: Outlet
    /// The descriptor that `-` reads from.
    package let input: Int32
    /// Reads the answer to a question; nil where nobody can be asked.
    package let answer: (@Sendable () -> String?)?
    package let now: @Sendable () -> Timestamp
    /// Begins to tell of signals to stop; nil where they are somebody else's, and end the process as they please.
    package let trapSignals: (@Sendable () async -> AsyncStream<Int32>)?

    package init(
        environment: [String: String], output: Outlet, errors: Outlet, input: Int32,
        answer: (@Sendable () -> String?)?, now: @escaping @Sendable () -> Timestamp,
        trapSignals: (@Sendable () async -> AsyncStream<Int32>)? = nil
    ) {
        self.environment = environment
        self.output = output
        self.errors = errors
        self.input = input
        self.answer = answer
        self.now = now
        self.trapSignals = trapSignals
    }

    /// One line for a person, beside the data.
    package func say(_ text: String) throws(OutputClosed) {
        try errors.write(text + "\n")
    }
}

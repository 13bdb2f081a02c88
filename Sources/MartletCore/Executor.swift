/// Where the runs of a kind take place.
public enum Executor: String, Sendable, Codable, CaseIterable {
    /// On a few threads that all coroutines share: for runs that wait by `await`. One that blocks its thread instead holds up
    /// the others, and is named in the log.
    case coroutine
    /// Each on a thread of its own while it runs: for calls that block, on files, locks or libraries without `await`.
    case blocking
    /// In a child process, one job at a time each: for code that may crash, leak, never end, or keep a processor busy. The child
    /// is the same program, started again (see `Worker.runAsChild(jobs:)`), and stays for the next jobs.
    case process
}

/// What happens when a run of a kind blocks a thread that coroutines share.
public enum OnBlock: String, Sendable, Codable, CaseIterable {
    /// It is named in the log and in `martlet workers`, and other threads take the place of the blocked ones.
    case warn
    /// The same, and from then on the kind's runs get threads of their own, as with ``Executor/blocking``.
    case move
}

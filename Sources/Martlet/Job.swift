import MartletCore

/// Work that outlives the process which asked for it.
///
/// ```swift
/// struct Resize: Job, Codable {
///     static let kind = "resize"
///     let file: String
///
///     func run(_ context: JobContext) async throws {
///         try await resize(file)
///     }
/// }
/// ```
/// The properties are the job's args; they are kept as JSON. A run happens *at least* once: a worker that dies in the
/// middle leaves the job to another one, so a run must bear being repeated.
///
/// Returning completes the job, and what is returned is its result (``Output``). Throwing fails this attempt, and ``retry`` says when the next one is due; throw
/// ``Snooze``, ``Discard`` or ``Retry`` to say otherwise.
public protocol Job: Codable, Sendable {
    /// What a run returns. Kept as the job's result when it is `Encodable`, as JSON of at most ``Limits/resultBytes``; a greater
    /// one ends the job as failed. ``Client/result(of:as:)`` reads it.
    associatedtype Output: Sendable = Void

    /// The name by which jobs find their handler: letters, digits and `_ - . : /`. Changing it orphans the jobs that wait.
    static var kind: String { get }
    static var retry: RetryPolicy { get }
    /// Longest time one run may take; nil: no limit. The run's task is cancelled then.
    static var timeout: Duration? { get }
    /// At most this many at a time in one worker; nil: only the worker's own limit, and for ``Executor/process`` one per
    /// processor.
    static var concurrency: Int? { get }
    /// Whether each worker finds out by itself how many at a time do best, by what they get done, how long they take and how
    /// often they fail; ``concurrency`` is then the most.
    static var adaptsConcurrency: Bool { get }
    /// Where a run happens; see ``Executor``.
    static var executor: Executor { get }
    /// What happens when a run blocks a thread that coroutines share; see ``OnBlock``.
    static var onBlock: OnBlock { get }
    /// What a run may take of the machine, for ``Executor/process``.
    static var limits: ProcessLimits { get }
    /// What a run sees of the worker's environment, for ``Executor/process``: with ``Worker/Configuration/environment``.
    static var environment: ChildEnvironment { get }
    /// The user a run is, by name or number, for ``Executor/process`` in a worker that root runs; nil: the worker's. It has to
    /// be allowed to execute the program's file and to enter the worker's directory; supplementary groups go. Any other worker
    /// can name its own user only, which changes nothing.
    static var user: String? { get }
    /// The group a run is in, in the same way; nil: the user's.
    static var group: String? { get }
    /// Around each run, inside of the worker's own; the first is the outermost.
    static var middleware: [any Middleware] { get }

    func run(_ context: JobContext) async throws -> Output
}

extension Job {
    public static var retry: RetryPolicy { RetryPolicy() }
    public static var timeout: Duration? { Limits.defaultTimeout }
    public static var concurrency: Int? { nil }
    public static var adaptsConcurrency: Bool { false }
    public static var executor: Executor { .coroutine }
    public static var onBlock: OnBlock { .warn }
    public static var limits: ProcessLimits { .none }
    public static var environment: ChildEnvironment { [] }
    public static var user: String? { nil }
    public static var group: String? { nil }
    public static var middleware: [any Middleware] { [] }
}

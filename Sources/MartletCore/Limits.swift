/// Every limit of the product in one place, each with its reason.
public enum Limits {
    /// Args of one job, bytes of JSON. Larger payloads belong in a file or object store, with their address in args.
    public static let argsBytes = 1 << 20
    /// Nesting of args. Deeper input is an attack or a mistake, and recursive readers downstream overflow their stacks.
    public static let argsDepth = 128
    /// Kind and queue names, bytes of UTF-8: they stand in every listing and in log lines.
    public static let nameBytes = 128
    /// Jobs in one enqueue call: bounds one transaction, and so how long other writers wait.
    public static let enqueueBatch = 10_000
    /// Jobs that a repair of many changes in one transaction: bounds how long others wait for it.
    public static let repairPiece = 2_000
    /// What an import gathers for one enqueue: enough that the commit does not count, little enough that a bad line
    /// undoes little and two batches fit anywhere.
    public static let importBatchJobs = 5_000
    public static let importBatchBytes = 8 << 20
    /// What a line of an import may have beside its args: an envelope's other members, white space.
    public static let importLineSlack = 64 << 10
    /// Jobs under one lease: bounds what one dead worker leaves behind, and the size of a lease row.
    public static let leaseJobs = 4_096
    /// Args that one claim may bring, bytes, give or take a job: bounds the memory that it takes.
    public static let leaseBytes = 16 << 20
    /// What a handler may return, bytes. Larger results are cut by the executor or refused by the library.
    public static let resultBytes = 64 << 10
    /// Args of what one run enqueues with its end, bytes, all together: held in memory until the settlement is written, and
    /// written in one transaction with many others.
    public static let followUpBytes = 8 << 20
    /// What kind of error, bytes: a type's name, shown in every listing.
    public static let errorTypeBytes = 1 << 10
    /// Text of one captured error (message; detail), bytes. Enough for a stack trace, too little to fill a disk.
    public static let errorMessageBytes = 4 << 10
    public static let errorDetailBytes = 16 << 10
    /// Attempts a job may ask for.
    public static let maxAttempts = 1...1_000
    /// Attempts when nobody said otherwise: with the default backoff about ten days of trying.
    public static let defaultMaxAttempts = 25
    /// Processes that a job may end before it has failed: the first may be bad luck, the third is not.
    public static let crashes = 3
    /// What a running job may say of how far it is, bytes: a line of a listing.
    public static let progressNoteBytes = 200
    /// How far ahead a job may be scheduled.
    public static let scheduleAhead: Duration = .seconds(366 * 86_400 * 10)
    /// When a job may be scheduled: the years that RFC 3339 can write, 1 to 9999.
    public static let scheduleAt =
        Timestamp(microseconds: -62_135_596_800_000_000)...Timestamp(microseconds: 253_402_300_799_999_999)
    /// The longest duration anybody may write: far beyond use, and no sum of it with a time of day overflows.
    public static let longestDuration: Duration = .seconds(36_500 * 86_400)
    /// How long one run of a handler may be allowed: stored in milliseconds.
    public static let timeout: ClosedRange<Duration> = .milliseconds(1)...longestDuration
    /// Handlers of one worker at a time. More is a typing error: each slot costs memory, and a claim brings no more jobs.
    public static let concurrency = 1...1_000_000
    /// Renewed three times a lease: shorter ones are lost to a busy disk, longer ones leave a dead worker's jobs waiting.
    public static let lease: ClosedRange<Duration> = .seconds(1)...(.seconds(3_600))
    /// Shorter polls keep a core busy with nothing; longer ones let a missed hint hurt.
    public static let poll: ClosedRange<Duration> = .milliseconds(10)...(.seconds(60))
    /// How long a graceful stop may wait for what runs.
    public static let grace: ClosedRange<Duration> = .zero...(.seconds(86_400))
    /// Threads of a worker for handlers that block. More is a typing error: each takes memory of its own.
    public static let blockingThreads = 1...4_096
    /// Enough for files and databases of this machine to be the ones that are waited for.
    public static let defaultBlockingThreads = 64
    /// What a worker's memory may be limited to, in bytes: less than the least does not hold the program.
    public static let workerMemory = (16 << 20)...(1 << 50)
    /// How long ended jobs may be kept.
    public static let retention: ClosedRange<Duration> = .zero...longestDuration
    /// How long a handler may run when nobody said otherwise.
    public static let defaultTimeout: Duration = .seconds(600)
    /// Less runs no program; more is a typing error.
    public static let childMemory = (1 << 20)...(1 << 50)
    /// The kernel counts whole seconds.
    public static let childTime: ClosedRange<Duration> = .seconds(1)...(.seconds(366 * 86_400))
    /// A program needs some to start.
    public static let childFiles = 8...1_048_576
    /// What a look at them all can hold.
    public static let childProcesses = 1...4_096
}

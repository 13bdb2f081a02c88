import MartletCore

/// What a worker can be set to, in the file and by options alike.
enum WorkerRanges {
    static let concurrency = Limits.concurrency
    /// Renewed three times a lease: shorter ones are lost to a busy disk, longer ones leave a dead worker's jobs waiting.
    static let lease = Duration.seconds(1)...Duration.seconds(3_600)
    static let poll = Duration.milliseconds(10)...Duration.seconds(60)
    static let grace = Duration.zero...Duration.seconds(86_400)
    static let timeout = Duration.milliseconds(1)...Duration.seconds(7 * 86_400)
    static let retention = Duration.zero...Duration.seconds(10 * 366 * 86_400)
    /// Only ever nicer than the worker: below 0 would need its privileges.
    static let nice = 0...19
    /// Of one delay between two attempts.
    static let delay = Duration.zero...Duration.seconds(366 * 86_400)
}

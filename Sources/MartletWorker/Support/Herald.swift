import Logging
import Synchronization

/// Where events go: to the log, and to the observer if there is one.
final class Herald: Sendable {
    /// Whether anybody wants events about single jobs that ended well.
    let wantsJobs: Bool
    /// Whether anybody wants events about claims.
    let wantsClaims: Bool
    private let observer: (@Sendable (WorkerEvent) -> Void)?
    private let log: WorkerLog

    init(logger: Logger, observer: (@Sendable (WorkerEvent) -> Void)?) {
        self.observer = observer
        log = WorkerLog(logger: logger)
        wantsJobs = observer != nil || logger.logLevel <= .debug
        wantsClaims = observer != nil || logger.logLevel <= .trace
    }

    func tell(_ event: WorkerEvent) {
        log.write(event)
        observer?(event)
    }
}

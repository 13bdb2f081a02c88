import Glibc
import Logging
import MartletCore
import MartletStore
import MartletWorker
import Synchronization

/// One worker from its start to its end, between signals, progress and log.
struct WorkerRun {
    let settings: WorkerSettings
    let handlers: [Handler]
    let store: any JobStore
    let log: DaemonLog
    let logsArgs: Bool

    private let running = RunningJobs()

    var wasAskedToStop: Bool { running.wasAskedToStop }

    /// What came of it.
    struct End: Sendable {
        let tally: WorkerTally
        /// Why it is to be started again.
        let excess: MemoryExceeded?
    }

    init(settings: WorkerSettings, handlers: [Handler], store: any JobStore, log: DaemonLog, logsArgs: Bool) {
        self.settings = settings
        self.handlers = handlers
        self.store = store
        self.log = log
        self.logsArgs = logsArgs
    }

    private enum Part: Sendable {
        case finished(MemoryExceeded?)
        case progress, begun
    }

    /// By then everything has been made that a worker makes once.
    private static let beginning: Duration = .seconds(2)

    /// - Parameter signals: to stop. They are heeded until the process ends, also while the database is being closed.
    func untilStopped(by signals: AsyncStream<Int32>?) async throws -> End {
        let progress = DrainProgress()
        let shows = log.showsProgress
        let worker = WorkerService(
            store: store, handlers: handlers.map(telling), configuration: settings.configuration, logger: log.logger
        ) { [running] event in
            running.observe(event)
            if shows { progress.observe(event) } else { log.tellSuccess(event) }
        }
        if let signals { Task.detached { await stop(worker, on: signals) } }
        let excess = try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask {
                do {
                    try await worker.run()
                    return .finished(nil)
                } catch let excess as MemoryExceeded {
                    return .finished(excess)
                }
            }
            group.addTask {
                // Cancelled, the worker ends, and says how.
                do { try await Task.sleep(for: Self.beginning) } catch { return .begun }
                StartUpCode.letGo()
                return .begun
            }
            if shows {
                group.addTask {
                    await progress.draw(store, log)
                    return .progress
                }
            }
            var found: MemoryExceeded?
            while let part = try await group.next() {
                guard case .finished(let excess) = part else { continue }
                found = excess
                break
            }
            group.cancelAll()
            return found
        }
        return End(tally: worker.tally, excess: excess)
    }

    /// A handler that logs args first, if that is wanted.
    private func telling(_ handler: Handler) -> Handler {
        guard logsArgs else { return handler }
        return handler.wrapped { call, run in
            call.logger.info("args", metadata: ["args": "\(call.args.string)"])
            return await run(call)
        }
    }

    /// The first signal asks, the second one does not wait for the answer.
    private func stop(_ worker: WorkerService, on signals: AsyncStream<Int32>) async {
        var asked = false
        for await signal in signals {
            let name: Logger.MetadataValue = signal == SIGINT ? "SIGINT" : "SIGTERM"
            guard asked else {
                asked = true
                running.askToStop()
                log.logger.notice("signal; another one ends at once", metadata: ["signal": name])
                worker.stop(.graceful)
                continue
            }
            worker.stop(.now)
            log.sink.show(status: "")
            log.logger.warning(
                "ending at once; running jobs go back when the lease ends or another worker looks",
                metadata: ["signal": name, "running": "\(running.count)"])
            RunningCommands.killAll()
            log.sink.flush(withinMilliseconds: 200)
            StopSignals.endNow(signal)
        }
    }
}

/// How many handlers are at work.
private final class RunningJobs: Sendable {
    private let ids = Mutex<Set<JobID>>([])
    private let stopAsked = Atomic(false)

    /// By a signal.
    var wasAskedToStop: Bool { stopAsked.load(ordering: .acquiring) }

    func askToStop() { stopAsked.store(true, ordering: .releasing) }

    var count: Int { ids.withLock { $0.count } }

    func observe(_ event: WorkerEvent) {
        switch event {
        case .jobStarted(_, let id, _): ids.withLock { _ = $0.insert(id) }
        case .jobEnded(_, let id, _, _, _), .abandoned(_, let id, _): ids.withLock { _ = $0.remove(id) }
        case .started, .registered, .claimed, .settled, .leasesLost, .heartbeatLost, .cancelRequested, .recovered, .promoted,
            .blocked, .threadsLost, .pulse, .adapted, .memoryExceeded, .removed, .storeUnavailable, .storeAvailable,
            .drained,
            .stopping, .unsettled, .stopped:
            break
        }
    }
}

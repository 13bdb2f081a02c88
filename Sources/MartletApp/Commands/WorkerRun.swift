import Glibc
import Logging
import MartletCore
import MartletStore
import MartletWorker
import UnixSignals

/// One worker from its start to its end, between signals, progress and log.
struct WorkerRun {
    let settings: WorkerSettings
    let store: any JobStore
    let log: DaemonLog
    let logsArgs: Bool

    private enum Part: Sendable {
        case finished, signals, progress
    }

    func untilStopped() async throws -> WorkerTally {
        let progress = DrainProgress()
        let shows = log.showsProgress
        let worker = WorkerService(
            store: store, handlers: settings.kinds.map(handler), configuration: settings.configuration, logger: log.logger
        ) { event in
            if shows { progress.observe(event) } else { log.tellSuccess(event) }
        }
        // Trapped before the first job starts, so that no signal falls between.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask {
                try await worker.run()
                return .finished
            }
            group.addTask {
                await stop(worker, on: signals)
                return .signals
            }
            if shows {
                group.addTask {
                    await progress.draw(store, log)
                    return .progress
                }
            }
            while let part = try await group.next() {
                if case .finished = part { break }
            }
            group.cancelAll()
        }
        return worker.tally
    }

    private func handler(_ kind: KindSettings) -> Handler {
        let handler = Handler(
            kind: kind.kind, command: kind.command, concurrency: kind.concurrency, timeout: kind.timeout, retry: kind.retry)
        guard logsArgs else { return handler }
        return Handler(
            kind: handler.kind, concurrency: handler.concurrency, timeout: handler.timeout, retry: handler.retry,
            unwind: handler.unwind
        ) { call in
            call.logger.info("args", metadata: ["args": "\(call.args.string)"])
            return await handler.run(call)
        }
    }

    /// The first signal asks, the second one does not wait for the answer.
    private func stop(_ worker: WorkerService, on signals: UnixSignalsSequence) async {
        var asked = false
        for await signal in signals {
            guard asked else {
                asked = true
                log.logger.notice("signal; another one ends at once", metadata: ["signal": "\(signal)"])
                worker.stop(.graceful)
                continue
            }
            worker.stop(.now)
            log.sink.show(status: "")
            log.sink.flush(withinMilliseconds: 200)
            RunningCommands.killAll()
            _exit(128 + (signal == .sigint ? SIGINT : SIGTERM))
        }
    }
}

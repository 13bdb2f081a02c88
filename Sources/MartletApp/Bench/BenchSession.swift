import Logging
import Martlet
import MartletCore
import MartletStore
import Synchronization

/// A bench between its first job and the removal of the last one, whatever happens: a signal, an error, a person who cancels
/// its jobs.
struct BenchSession {
    let plan: BenchPlan
    let name: BenchName
    let store: any BenchStore
    let other: any BenchStore
    let console: Console
    /// What removes what could not be removed here.
    let remedy: String

    struct End: Sendable {
        var results = BenchResults()
        var roundTrip: Figures?
        var removed = 0
        /// It was stopped.
        var signal: Int32?
    }

    func run() async throws -> End {
        let stopped = Mutex<Int32?>(nil)
        let progress = BenchProgress(console)
        let log = LogSink(stream: console.errors)
        defer { log.flush() }
        // Before the first job, so that no signal falls between.
        let signals = await console.trapSignals?()
        let measuring = Task { [store, name] in
            try await BenchPresence(name: name, store: store).during { await measure(progress, log) }
        }
        if let signals {
            Task.detached { [console, remedy] in
                for await signal in signals {
                    if stopped.withLock({ $0 }) != nil {
                        do { try console.say("martlet: ending at once; \(remedy)") } catch { StopSignals.endNow(signal) }
                        StopSignals.endNow(signal)
                    }
                    stopped.withLock { $0 = signal }
                    measuring.cancel()
                }
            }
        }
        let measured = await measuring.result
        progress.clear()
        var end = End(signal: stopped.withLock { $0 })
        // Whatever has become of the measuring.
        let last = try await removing { try await BenchRemoval.remove(name, store) }
        if try await store.benchSurroundings().benches.contains(name) {
            try console.say("martlet: jobs of \(name) still run; once they have ended or their worker is dead, \(remedy)")
        }
        let (result, removed) = try measured.get()
        end.removed = removed + last
        switch result {
        case .success(let found):
            end.results = found.results
            end.roundTrip = found.roundTrip
        case .failure where end.signal != nil:
            break
        case .failure(let error as MartletError):
            throw Failure(.database, error.message)
        case .failure(let error):
            throw error
        }
        return end
    }

    private func removing(_ body: () async throws -> Int) async throws -> Int {
        do {
            return try await body()
        } catch {
            try console.say("martlet: \(remedy)")
            throw error
        }
    }

    private func measure(
        _ progress: BenchProgress, _ log: LogSink
    ) async -> (Result<(results: BenchResults, roundTrip: Figures?), any Error>, removed: Int) {
        let handler = MartletLogHandler(
            sink: log, format: .text, style: console.errors.style, level: .warning, now: console.now)
        var run = BenchRun(
            plan: plan, name: name, store: store, other: other, logger: Logger(label: "martlet") { _ in handler },
            tell: { progress.show($0) })
        do {
            let roundTrip = try await roundTrips()
            try await run.perform()
            return (.success((run.results, roundTrip)), run.removed)
        } catch {
            return (.failure(error), run.removed)
        }
    }

    /// In milliseconds; nil where no server is asked.
    private func roundTrips() async throws(StoreError) -> Figures? {
        var times: [Double] = []
        for _ in 0..<100 {
            guard let time = try await store.roundTrip() else { return nil }
            times.append(time.inSeconds * 1e3)
        }
        return Figures(times)
    }
}

/// The line of a bench that says what it is at, for all its tasks.
final class BenchProgress: Sendable {
    private let line: Mutex<ProgressLine>

    init(_ console: Console) { line = Mutex(ProgressLine(console)) }

    /// Each of them, as there are few and the last one may stand for long.
    func show(_ text: String) {
        line.withLock { line in
            line.clear()
            line.show(text)
        }
    }

    func clear() { line.withLock { $0.clear() } }
}

import Foundation
import MartletCore
import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

@Suite struct HandlerThreadsTests {
    private func configuration(_ concurrency: Int) -> WorkerConfiguration {
        var configuration = WorkerConfiguration.quick
        configuration.concurrency = concurrency
        configuration.drain = true
        return configuration
    }

    @Test func `handlers that block every thread hold up neither claims nor settlements of others`() async throws {
        let bench = Bench()
        let blocker = Blocker()
        bench.store.add(40, "block")
        let passed = Mutex(0)
        _ = try await bench.run(
            [
                Handler(
                    kind: "block",
                    run: { _ in
                        blocker.wait()
                        return .completed(result: nil)
                    }),
                Handler(
                    kind: "quick",
                    run: { _ in
                        passed.withLock { $0 += 1 }
                        return .completed(result: nil)
                    }),
            ],
            {
                var configuration = configuration(50)
                configuration.drain = false
                return configuration
            }()
        ) { _ in
            try await eventually("a blocked thread is told of, with the job's kind") {
                bench.events.contains {
                    if case .blocked("block", _, let held, false) = $0 { held >= HandlerThreads.patience } else { false }
                }
            }
            bench.store.add(5, "quick")
            try await eventually("others run on threads that take the place of the blocked ones") {
                passed.withLock { $0 } == 5
            }
            try await eventually("and are settled") {
                bench.store.settlements.count { $0.ending == .completed(result: nil) } == 5
            }
            blocker.open()
            try await eventually("all ended") { bench.store.settlements.count == 45 }
        }
        let held = bench.store.settlements.compactMap { $0.usage?.blocked }
        #expect(!held.isEmpty, "the attempt says how long it held its thread")
        #expect(held.allSatisfy { $0 >= HandlerThreads.patience })
    }

    @Test func `a kind that may move gets threads of its own after it blocked once`() async throws {
        let bench = Bench()
        let blocker = Blocker()
        let names = Names()
        bench.store.add(1, "block")
        _ = try await bench.run([
            Handler(
                kind: "block", onBlock: .move,
                run: { _ in
                    names.note()
                    blocker.wait()
                    return .completed(result: nil)
                })
        ]) { _ in
            try await eventually("it moves") {
                bench.events.contains { if case .blocked(_, _, _, true) = $0 { true } else { false } }
            }
            blocker.open()
            bench.store.add(3, "block")
            try await eventually("all ended") { bench.store.settlements.count == 4 }
        }
        #expect(names.all.first == "martlet-run")
        #expect(Set(names.all.dropFirst()) == ["martlet-block"])
    }

    @Test func `blocking handlers run side by side, as many as there are threads for them`() async throws {
        let bench = Bench()
        let blocker = Blocker()
        let running = Mutex((now: 0, most: 0))
        bench.store.add(12, "block")
        var configuration = configuration(12)
        configuration.blockingThreads = 8
        configuration.drain = false
        _ = try await bench.run(
            [
                Handler(
                    kind: "block", executor: .blocking,
                    run: { _ in
                        running.withLock {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        blocker.wait()
                        running.withLock { $0.now -= 1 }
                        return .completed(result: nil)
                    })
            ], configuration
        ) { _ in
            try await eventually("eight at a time") { running.withLock { $0.now } == 8 }
            blocker.open()
            try await eventually("all ended") { bench.store.settlements.count == 12 }
        }
        #expect(running.withLock { $0.most } == 8)
        #expect(!bench.events.contains { if case .blocked = $0 { true } else { false } }, "blocking is what they are for")
    }

    @Test func `a coroutine goes on on its worker's threads wherever it waited`() async throws {
        let bench = Bench()
        let names = Names()
        bench.store.add(1, "wait")
        _ = try await bench.run([
            Handler(
                kind: "wait",
                run: { _ in
                    names.note()
                    await withTaskGroup { group in
                        group.addTask { names.note() }
                    }
                    await Task.yield()
                    names.note()
                    return .completed(result: nil)
                })
        ]) { _ in
            try await eventually("ended") { bench.store.settlements.count == 1 }
        }
        #expect(names.all == ["martlet-run", "martlet-run", "martlet-run"])
    }
}

/// Which threads the runs were on.
final class Names: Sendable {
    private let names = Mutex<[String]>([])

    var all: [String] { names.withLock { $0 } }

    func note() {
        do {
            let name = try String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            names.withLock { $0.append(name.trimmingCharacters(in: .newlines)) }
        } catch {
            Issue.record(error)
        }
    }
}

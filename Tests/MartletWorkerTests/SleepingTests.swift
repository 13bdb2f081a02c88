import Dispatch
import Foundation
import Testing

@testable import MartletWorker

/// Sleeps of tasks on a slot, by the runtime's own functions.
@Suite struct SleepingTests {
    private let threads: HandlerThreads
    private let slot: Slot

    init() {
        threads = HandlerThreads(name: "test", width: 2, reserve: 0)
        slot = Slot(number: 1, work: work(chunk(jobs: 1)), threads: threads)
    }

    /// A clock that this package does not know: as fast again as time.
    private struct QuickClock: Clock {
        struct Instant: InstantProtocol {
            let instant: ContinuousClock.Instant
            func advanced(by duration: Duration) -> Instant { Instant(instant: instant + duration / 2) }
            func duration(to other: Instant) -> Duration { (other.instant - instant) * 2 }
            static func < (a: Instant, b: Instant) -> Bool { a.instant < b.instant }
        }

        var now: Instant { Instant(instant: .now) }
        var minimumResolution: Duration { .zero }

        func sleep(until deadline: Instant, tolerance: Duration?) async throws {
            try await ContinuousClock().sleep(until: deadline.instant, tolerance: tolerance)
        }
    }

    private static let sleeps: [(String, @Sendable () async throws -> Void)] = [
        ("for", { try await Task.sleep(for: .milliseconds(5)) }),
        ("nanoseconds", { try await Task.sleep(nanoseconds: 5_000_000) }),
        ("with tolerance", { try await Task.sleep(for: .milliseconds(5), tolerance: .milliseconds(1)) }),
        ("of a clock", { try await ContinuousClock().sleep(for: .milliseconds(5)) }),
        ("without suspensions of the machine", { try await Task.sleep(for: .milliseconds(5), clock: .suspending) }),
        ("of a clock of one's own", { try await Task.sleep(for: .milliseconds(10), clock: QuickClock()) }),
        (
            "beside others",
            {
                async let one: Void = Task.sleep(for: .milliseconds(5))
                async let other: Void = Task.sleep(for: .milliseconds(1))
                _ = try await (one, other)
            }
        ),
        (
            "of a child",
            {
                try await withThrowingTaskGroup { group in
                    group.addTask { try await Task.sleep(for: .milliseconds(5)) }
                    try await group.waitForAll()
                }
            }
        ),
    ]

    @Test(arguments: 0..<sleeps.count)
    func `a sleep is not too short`(_ index: Int) async throws {
        let (name, sleep) = Self.sleeps[index]
        let slept = try await Task.detached(executorPreference: slot) {
            try await ContinuousClock().measure { try await sleep() }
        }.value
        #expect(slept >= .milliseconds(5), "\(name)")
        threads.close()
    }

    @Test(arguments: [true, false])
    func `a sleep that was cancelled keeps no slot`(isSuspending: Bool) async throws {
        weak var kept: Slot?
        do {
            let slot = Slot(number: 2, work: work(chunk(jobs: 1)), threads: threads)
            kept = slot
            let asleep = Task.detached(executorPreference: slot) {
                if isSuspending {
                    try await Task.sleep(for: .seconds(3_600), clock: .suspending)
                } else {
                    try await Task.sleep(for: .seconds(3_600))
                }
            }
            asleep.cancel()
            _ = await asleep.result
        }
        // Its last piece may just be on its way off the thread.
        for _ in 0..<6_000 where kept != nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(kept == nil)
        threads.close()
    }

    @Test func `a task finds another piece where it was suspended, and the same where it was not`() async throws {
        // Of two threads the other one may be quicker than the suspension, and then there is none.
        let one = HandlerThreads(name: "test", width: 1, reserve: 0)
        let slot = Slot(number: 2, work: work(chunk(jobs: 1)), threads: one)
        let pieces = try await Task.detached(executorPreference: slot) {
            var pieces = [RunThread.currentPiece]
            await withUnsafeContinuation { $0.resume() }
            pieces.append(RunThread.currentPiece)
            await Task.yield()
            pieces.append(RunThread.currentPiece)
            try await Task.sleep(for: .milliseconds(1))
            pieces.append(RunThread.currentPiece)
            return pieces
        }.value
        #expect(pieces[0] != 0 && pieces[0] == pieces[1])
        #expect(Set(pieces).count == 3)
        #expect(RunThread.currentPiece == 0, "this is none of the threads")
        one.close()
        threads.close()
    }

    @Test func `a sleep of nothing, or less, ends`() async throws {
        try await Task.detached(executorPreference: slot) {
            try await Task.sleep(for: .zero)
            try await Task.sleep(for: .seconds(-5))
            try await Task.sleep(for: .seconds(Int64.min / 4))
            try await Task.sleep(nanoseconds: 0)
        }.value
        threads.close()
    }

    @Test func `a sleep for ever ends when it is cancelled`() async throws {
        let tasks = [
            Task.detached(executorPreference: slot) { try await Task.sleep(for: .seconds(Int64.max / 4)) },
            Task.detached(executorPreference: slot) { try await Task.sleep(nanoseconds: .max) },
        ]
        for task in tasks {
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        threads.close()
    }

    @Test func `a sleep ends after its pool was closed`() async throws {
        let begun = Gate()
        let task = Task.detached(executorPreference: slot) {
            begun.open()
            try await Task.sleep(for: .milliseconds(20))
            try await Task.sleep(for: .milliseconds(1))
        }
        await begun.pass()
        threads.close()
        try await task.value
    }

    @Test func `many sleeps of different lengths all end`() async throws {
        let ended = try await Task.detached(executorPreference: slot) {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<5_000 {
                    group.addTask {
                        try await Task.sleep(for: .microseconds(number * 7_919 % 20_000))
                        return 1
                    }
                }
                return try await group.reduce(0, +)
            }
        }.value
        #expect(ended == 5_000)
        threads.close()
    }

    #if compiler(>=6.3) && compiler(<6.4)
        @Test func `a moment is of the same time as a continuous instant`() {
            let before = Moment.now
            let between = Moment(ContinuousClock.now)
            let after = Moment.now
            #expect(before <= between && between <= after)
        }

        /// The limits are only there so that a failure ends.
        @Test func `a sleep ends while Swift's pool is held up`() async {
            let (held, open, slept) = (DispatchSemaphore(value: 0), Blocker(), DispatchSemaphore(value: 0))
            let width = ProcessInfo.processInfo.activeProcessorCount
            let (isHeld, hasSlept) = await withCheckedContinuation { continuation in
                Thread.detachNewThread { [slot] in
                    for _ in 0..<width {
                        Task.detached {
                            held.signal()
                            open.wait()
                        }
                    }
                    let isHeld = (0..<width).allSatisfy { _ in held.wait(timeout: .now() + 60) == .success }
                    Task.detached(executorPreference: slot) {
                        try await Task.sleep(for: .milliseconds(5))
                        slept.signal()
                    }
                    let hasSlept = slept.wait(timeout: .now() + 10) == .success
                    open.open()
                    continuation.resume(returning: (isHeld, hasSlept))
                }
            }
            #expect(isHeld && hasSlept)
            threads.close()
        }
    #endif
}

import MartletCore
import MartletStore
import MartletTestSupport
import Testing

@testable import MartletWorker

/// What a worker makes of ends that children tell: handlers can write them, too.
@Suite struct WireTests {
    private func received(_ frame: Frame) throws -> RemoteReport {
        var buffer = FrameBuffer()
        frame.finished.withUnsafeBytes { buffer.append($0) }
        var reader = try #require(try buffer.next())
        return try RemoteReport(&reader)
    }

    private func received(_ outcome: Outcome, followUps: [NewJob] = []) throws -> RemoteReport {
        try received(RemoteReport(outcome: outcome, usage: Usage(), resident: 0, followUps: followUps).frame)
    }

    private func result(_ bytes: [UInt8]) -> Outcome { .completed(result: JSONText(trusted: bytes)) }

    @Test func `a result crosses as it is`() throws {
        let whole = result(Array("\"\(String(repeating: "é", count: Limits.resultBytes / 2 - 1))\"".utf8))
        #expect(try received(whole).outcome == whole)
        #expect(try received(.completed(result: nil)).outcome == .completed(result: nil))
    }

    @Test(arguments: [
        [0x22, 0xFF, 0x22], [], Array("nul".utf8), Array("\"a\0b\"".utf8), Array("1 2".utf8),
    ])
    func `a result that cannot be kept is refused`(bytes: [UInt8]) throws {
        #expect(throws: FrameReader.Malformed.self) { _ = try received(result(bytes)) }
    }

    @Test func `a result that is larger than a worker keeps is refused`() throws {
        let large = result(Array("\"\(String(repeating: "a", count: Limits.resultBytes))\"".utf8))
        #expect(throws: FrameReader.Malformed.self) { _ = try received(large) }
    }

    @Test func `what a run took lies within what can be`() throws {
        func usage(_ memory: Int, _ time: Duration) throws -> (usage: Usage, resident: Int) {
            let usage = Usage(peakMemory: memory, processorTime: time)
            let report = try received(RemoteReport(outcome: .cancelled, usage: usage, resident: memory).frame)
            return (report.usage, report.resident)
        }
        let greatest = try usage(.max, Duration.nanoseconds(Int64.max))
        #expect(greatest.usage.peakMemory == 1 << 50 && greatest.resident == 1 << 50)
        #expect(try #require(greatest.usage.processorTime) <= Limits.longestDuration)
        let least = try usage(.min, Duration.nanoseconds(Int64.min))
        #expect(least.usage == Usage(peakMemory: 0, processorTime: .zero) && least.resident == 0)
    }

    @Test func `sums of the greatest sizes end no worker`() throws {
        var meter = Meter(now: .now)
        let settlement = Settlement.testing(
            LeaseID(rawValue: 1), 0, .completed(result: nil), usage: Usage(peakMemory: 1 << 50))
        meter.count([Settlement](repeating: settlement, count: 10_000))
        let window = meter.close(machine: AutoLimit.Machine(), now: .now)
        #expect(window.memoryPerRun == 1 << 50)
        let machine = AutoLimit.Machine(memory: (available: 1 << 40, total: 1 << 40))
        #expect(!machine.hasMemory(for: Limits.concurrency.upperBound, runsOf: window.memoryPerRun))
    }

    @Test func `errors are cut to what is kept of them`() throws {
        let long = String(repeating: "é\0", count: 1 << 20)
        var frame = Frame(.done)
        frame.write(3)
        for _ in 0..<2 { frame.write(long) }
        frame.write(long) { $0.write($1) }
        frame.write(Int?.none) { $0.write($1) }
        frame.write(Int?.none) { $0.write($1) }
        frame.write(0)
        frame.write(0)
        guard case .discard(let error) = try received(frame).outcome else { throw FrameReader.Malformed() }
        #expect(error.type.utf8.count <= Limits.errorTypeBytes && error.type.hasPrefix("é\u{2400}"))
        #expect(error.message.utf8.count <= Limits.errorMessageBytes && error.message.hasPrefix("é\u{2400}"))
        #expect(try #require(error.detail).utf8.count <= Limits.errorDetailBytes)
        #expect(!error.message.utf8.contains(0))
    }

    @Test(arguments: [Int64.min, -1, .max])
    func `any delay comes to one that can be scheduled`(nanoseconds: Int64) throws {
        let error = JobError(type: "Retry", message: "later")
        for letter in [1, 2] {
            var frame = Frame(.done)
            frame.write(letter)
            if letter == 1 {
                frame.write("Retry")
                frame.write("later")
                frame.write(String?.none) { $0.write($1) }
                frame.write(nanoseconds) { $0.write($1) }
            } else {
                frame.write(nanoseconds)
            }
            frame.write(Int?.none) { $0.write($1) }
            frame.write(Int?.none) { $0.write($1) }
            frame.write(0)
            frame.write(0)
            let outcome = try received(frame).outcome
            let delay: Duration = nanoseconds < 0 ? .zero : Limits.scheduleAhead
            let ending = Ending(outcome, attempt: 1, maxAttempts: 5, retry: RetryPolicy(), random: 0)
            #expect(ending == (letter == 1 ? .retryable(error, after: delay) : .snoozed(delay)))
        }
    }

    @Test func `follow-ups are as many as a run may have, or none`() throws {
        let job = try NewJob(kind: "next")
        let most = [NewJob](repeating: job, count: Limits.enqueueBatch)
        #expect(try received(.completed(result: nil), followUps: most).followUps.count == most.count)
        #expect(throws: FrameReader.Malformed.self) { try received(.completed(result: nil), followUps: most + [job]) }
        let text = "\"\(String(repeating: "a", count: Limits.argsBytes - 2))\""
        let large = try NewJob(kind: "next", args: JSONText(validating: text))
        let many = [NewJob](repeating: large, count: Limits.followUpBytes / Limits.argsBytes)
        #expect(try received(.completed(result: nil), followUps: many).followUps.count == many.count)
        #expect(throws: FrameReader.Malformed.self) { try received(.completed(result: nil), followUps: many + [large]) }
    }
}

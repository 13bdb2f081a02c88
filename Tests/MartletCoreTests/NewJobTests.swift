import MartletCore
import Testing

struct NewJobTests {
    @Test func `a kind is enough`() throws {
        let job = try NewJob(kind: "resize")
        #expect(job.queue == "default" && job.priority == .default && job.args == .emptyObject && job.start == .now)
        #expect(job.maxAttempts == nil && job.timeout == nil)
    }

    @Test func `the ends of each range are in it`() throws {
        _ = try NewJob(kind: "a", start: .after(.zero), maxAttempts: 1, timeout: .milliseconds(1))
        _ = try NewJob(
            kind: "a", start: .after(Limits.scheduleAhead), maxAttempts: 1_000, timeout: Limits.longestDuration)
        let first = try Timestamp(rfc3339: "0001-01-01T00:00:00Z", field: "at")
        let last = try Timestamp(rfc3339: "9999-12-31T23:59:59.999999Z", field: "at")
        #expect(Limits.scheduleAt == first...last)
        _ = try NewJob(kind: "a", start: .at(first))
        _ = try NewJob(kind: "a", start: .at(last))
    }

    @Test func `each error names its field`() {
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "") } == "kind")
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", queue: "b c") } == "queue")
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", start: .after(.seconds(-1))) } == "in")
        #expect(
            Self.field { () throws(InvalidInput) in
                try NewJob(kind: "a", start: .after(Limits.scheduleAhead + .seconds(1)))
            } == "in")
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", maxAttempts: 0) } == "max_attempts")
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", maxAttempts: 1_001) } == "max_attempts")
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", timeout: .zero) } == "timeout")
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", timeout: .seconds(-1)) } == "timeout")
    }

    @Test(arguments: [Int64.min, .min / 2, -62_135_596_800_000_001, 253_402_300_800_000_000, .max])
    func `a time that no calendar shows is refused`(microseconds: Int64) {
        #expect(
            Self.field { () throws(InvalidInput) in
                try NewJob(kind: "a", start: .at(Timestamp(microseconds: microseconds)))
            } == "at")
    }

    @Test(
        arguments: [.seconds(Int64.max), .seconds(Int64.max) * 9, .seconds(Int64.max / 2), .nanoseconds(999_999)]
            as [Duration])
    func `a timeout that cannot be kept is refused`(timeout: Duration) {
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", timeout: timeout) } == "timeout")
    }

    @Test(arguments: [.seconds(Int64.min), .seconds(Int64.max), .seconds(Int64.max) * 9] as [Duration])
    func `a delay that cannot be kept is refused`(delay: Duration) {
        #expect(Self.field { () throws(InvalidInput) in try NewJob(kind: "a", start: .after(delay)) } == "in")
    }

    private static func field(_ body: () throws(InvalidInput) -> NewJob) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return error.field
        }
    }

    @Test func `an expiry lies after the time the job is due`() throws {
        _ = try NewJob(kind: "k", start: .after(.seconds(5)), expires: .after(.seconds(6)))
        _ = try NewJob(kind: "k", start: .at(Timestamp(microseconds: 5)), expires: .at(Timestamp(microseconds: 6)))
        _ = try NewJob(kind: "k", start: .after(.seconds(5)), expires: .at(Timestamp(microseconds: 6)))
        let refused: [(NewJob.Start, NewJob.Expiry, String)] = [
            (.after(.seconds(5)), .after(.seconds(5)), "expires_in"), (.now, .after(.zero), "expires_in"),
            (.now, .after(Limits.scheduleAhead + .seconds(1)), "expires_in"),
            (.at(Timestamp(microseconds: 5)), .at(Timestamp(microseconds: 5)), "expires_at"),
            (.now, .at(Timestamp(microseconds: .max)), "expires_at"),
        ]
        for (start, expiry, field) in refused {
            let error = #expect(throws: InvalidInput.self) { try NewJob(kind: "k", start: start, expires: expiry) }
            #expect(error?.field == field)
        }
    }
}

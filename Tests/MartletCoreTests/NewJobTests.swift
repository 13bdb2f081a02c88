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
        _ = try NewJob(kind: "a", start: .after(Limits.scheduleAhead), maxAttempts: 1_000, timeout: .seconds(86_400))
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

    private static func field(_ body: () throws(InvalidInput) -> NewJob) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return error.field
        }
    }
}

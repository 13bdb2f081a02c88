import MartletCore
import Testing

@testable import MartletApp

struct EnvelopeImportTests {
    @Test func `an envelope overrides the defaults and keeps the args as written`() async throws {
        let (store, _) = try await importing(
            """
            {"args":{"b": 1.50, "a":"\\u00e9"},"queue":"images","priority":0,"in":"1h30m","max_attempts":7,"timeout":"1.5s"}
            { "run_at" : "2026-11-21T10:30:00+01:00" , "kind" : "mail\\/send", "args" : [ 1, 2 ] }
            {"queue":null,"in":null}
            {}
            """, .envelope)
        let records = store.records
        #expect(store.args == [#"{"b": 1.50, "a":"\u00e9"}"#, "[ 1, 2 ]", "{}", "{}"])
        #expect(records.map(\.kind) == ["resize", "mail/send", "resize", "resize"])
        #expect(records.map(\.queue) == ["images", "default", "default", "default"])
        #expect(records.map(\.priority) == [0, 5, 5, 5])
        #expect(records[0].start == .after(.seconds(5_400)))
        #expect(records[1].start == .at(Timestamp(microseconds: 1_795_253_400_000_000)))
        #expect(records[2].start == .now)
        #expect(records[0].maxAttempts == 7 && records[0].timeout == .milliseconds(1_500))
    }

    @Test(arguments: [
        (#"{"timout":"5s"}"#, "envelope: has the unknown key \"timout\"; did you mean timeout?"),
        (#"{"file":"a.png"}"#, "envelope: has the unknown key \"file\"; known are args, kind, queue, priority, run_at, in,"),
        (#"{"priority":10}"#, "priority: 10 is out of range; 0 (most urgent) to 9"),
        (#"{"priority":"high"}"#, "priority: expected an integer, found \"high\""),
        (#"{"priority":1.5}"#, "priority: expected an integer, found 1.5"),
        (#"{"max_attempts":0}"#, "max_attempts: 0 is out of range"),
        (#"{"queue":"a b"}"#, "queue: \"a b\" is not a name"), (#"{"kind":""}"#, "kind: is empty"),
        (#"{"queue":5}"#, "queue: expected a string, found 5"), (#"{"in":"-5s"}"#, "in: \"-5s\" is negative"),
        (#"{"in":30}"#, "in: expected a string, found 30"), (#"{"in":"30"}"#, "in: \"30\" has no unit"),
        (#"{"run_at":"2026-02-30T00:00:00Z"}"#, "run_at: \"2026-02-30T00:00:00Z\" does not exist"),
        (#"{"in":"5s","run_at":"2026-02-28T00:00:00Z"}"#, "run_at: stands beside the other of in and run_at"),
        (#"{"expires_in":"5s","expires_at":"2026-02-28T00:00:00Z"}"#, "expires_at: stands beside the other of expires_in"),
        (#"{"expires_in":"5s","in":"6s"}"#, "expires_in: is over before the job is due"),
        (#"{"timeout":"0s"}"#, "timeout: must be longer than nothing"),
        (#"{"args":1,"args":2}"#, "envelope: has the key \"args\" twice"),
        ("[1]", "envelope: expected an object such as {\"args\": …}, found a list"),
        (" \"a\"", "envelope: expected an object such as {\"args\": …}, found a string"),
        ("[1", "envelope: is not JSON: expected an object"),
        (#"{"args":{"a":}}"#, "envelope: is not JSON: expected a value, found '}' at byte 13"),
    ])
    func `what is wrong names line and field`(line: String, reason: String) async throws {
        let failure = try await failure { _ = try await importing("{}\n\(line)\n", .envelope) }
        #expect(failure.reason.hasPrefix("jobs.txt:2: \(reason)"), "\(failure.reason)")
    }

    @Test func `args in an envelope may be as deep and as long as alone`() async throws {
        let deep = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(try await importing("{\"args\":\(deep)}", .envelope).0.args == [deep])
        let long = "\"\(String(repeating: "a", count: 98))\""
        #expect(try await importing("{\"args\":\(long)}", .envelope, maxArgsBytes: 100).0.args == [long])
        let failure = try await failure { _ = try await importing("{\"args\":\(long)}", .envelope, maxArgsBytes: 99) }
        #expect(failure.reason.hasPrefix("jobs.txt:1: args: is 100 bytes long"))
    }
}

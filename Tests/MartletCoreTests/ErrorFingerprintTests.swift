import MartletCore
import Testing

struct ErrorFingerprintTests {
    @Test(arguments: [
        ("exit status 3 after 1.5s", "exit status N after Ns"),
        ("row 12, column 7: -5 is too small", "row N, column N: -N is too small"),
        ("no such file: /var/lib/data/a.png", "no such file: /…"),
        ("/srv/app/main.py:12: bad value", "/…:N: bad value"),
        ("cannot open 'a b.png': denied", "cannot open '…': denied"),
        ("key \"x\" and `y` don't fit, can't they", "key \"…\" and `…` don't fit, can't they"),
        ("The file “report.txt” doesn’t exist.", "The file \"…\" doesn’t exist."),
        ("at 0x7ffe12ab in job 5f3a9b2c1d", "at X in job X"),
        ("user 550e8400-e29b-41d4-a716-446655440000 is gone", "user X is gone"),
        ("connect to 10.0.0.1:5432 failed", "connect to N:N failed"),
        ("connect to fe80::1ff:fe23:4567:890a failed", "connect to X failed"),
        ("GET https://example.com/a?b=1 gave 503", "GET https://… gave N"),
        ("no mailbox john.doe+x@mail.example.com here", "no mailbox X here"),
        ("at 2026-11-21T09:30:00.123Z: late", "at N-N-NTN:N:NZ: late"),
        ("at 09:30:00: late", "at N:N:N: late"),
        ("token 01ARZ3NDEKTSV4RRFFQ69G5FAV expired", "token X expired"),
        ("std::bad_alloc in and/or a / b", "std::bad_alloc in and/or a / b"),
        ("  spaced \t out  ", "spaced out"), ("first line\nsecond 2", "first line"), ("\n\nlate first", "late first"),
        ("it's 'open", "it's 'open"), ("", ""), ("größer als 5 µm", "größer als N µm"),
    ])
    func `what differs from run to run is taken out`(message: String, normalized: String) {
        #expect(ErrorFingerprint(type: "exit", message: message).normalized == normalized)
    }

    /// These are in people's databases: a change here breaks their groups.
    @Test(arguments: [
        ("", "", "af63bd4c8601b7df"), ("exit", "exit status 3", "9a338f0946d76681"),
        ("timeout", "ran for 30s, größer", "608c4bf0db124b3c"),
    ])
    func `an id never changes`(type: String, message: String, id: String) {
        #expect(ErrorFingerprint(type: type, message: message).id == id)
    }

    @Test func `the type counts, and does not run into the message`() {
        #expect(ErrorFingerprint(type: "a", message: "b").id != ErrorFingerprint(type: "b", message: "b").id)
        #expect(ErrorFingerprint(type: "ab", message: "c").id != ErrorFingerprint(type: "a", message: "bc").id)
        #expect(ErrorFingerprint(type: "a", message: "n 1").id == ErrorFingerprint(type: "a", message: "n 22").id)
    }

    @Test(arguments: ["'a ", "1:", "\"", "a@", "://", "/a", "fe::", "é", "-", "0x", "a.b@c.d "])
    func `hostile messages end, short`(piece: String) {
        let message = String(repeating: piece, count: 100_000)
        let print = ErrorFingerprint(type: "t", message: message)
        #expect(print.normalized.utf8.count <= 256)
        #expect(!print.normalized.contains("\u{FFFD}"))
    }
}

import MartletCore
import Testing

@Suite struct ChildEnvironmentTests {
    private let ours = [
        "PATH": "/bin", "HOME": "/root", "LC_TIME": "C", "LANG": "C", "SWIFT_BACKTRACE": "enable=no", "TMPDIR": "/t",
        "MARTLET_MODE": "m", "MARTLET_DATABASE_URL": "postgres://u:secret@h/d",
        "MARTLET_LISTEN_DATABASE_URL": "postgres://x",
        "PGPASSWORD": "secret", "DATABASE_URL": "postgres://u:secret@h", "AWS_KEY": "k", "AWS_REGION": "r", "LCX": "no",
    ]

    @Test func `a child sees what every program needs, and no password`() {
        let needed = ["PATH", "HOME", "LC_TIME", "LANG", "SWIFT_BACKTRACE", "TMPDIR", "MARTLET_MODE"]
        #expect(Set(ChildEnvironment(passed: []).applied(to: ours).keys) == Set(needed))
    }

    @Test func `what is named is passed on, and what has a value is set`() {
        let base = Set(ChildEnvironment(passed: []).applied(to: ours).keys)
        let named: ChildEnvironment = ["AWS_*", "MARTLET_DATABASE_URL", "NOT_THERE"]
        #expect(
            Set(named.applied(to: ours).keys).subtracting(base) == ["AWS_KEY", "AWS_REGION", "MARTLET_DATABASE_URL"])
        #expect(named.missing(in: ours) == ["NOT_THERE"])
        let set: ChildEnvironment = ["HOME": "/srv", "MODE": "nightly"]
        let both = named.merging(set).applied(to: ours)
        #expect(both["HOME"] == "/srv" && both["MODE"] == "nightly" && both["AWS_KEY"] == "k")
        #expect((["*"] as ChildEnvironment).applied(to: ours) == ours)
    }

    @Test(arguments: [["A=B"], ["1A"], [""], ["A*B"], ["=*"]])
    func `what is no name is refused`(names: [String]) {
        #expect(throws: InvalidInput.self) { try ChildEnvironment(passed: names).validate() }
    }

    @Test func `names and patterns are good, and values without NUL`() throws {
        try (["A", "_B2", "C_*", "*"] as ChildEnvironment).validate()
        try (["A": "x y=z"] as ChildEnvironment).validate()
        #expect(throws: InvalidInput.self) { try (["A": "\0"] as ChildEnvironment).validate() }
        #expect(throws: InvalidInput.self) { try (["A*": ""] as ChildEnvironment).validate() }
    }
}

/// What a child process sees of the environment, besides what every program needs (``needed``): nothing, unless it is named.
///
/// ```swift
/// static let environment: ChildEnvironment = ["API_TOKEN", "AWS_*"]   // passed on as the worker has them
/// static let environment: ChildEnvironment = ["MODE": "nightly"]      // set
/// ```
public struct ChildEnvironment: Sendable, Equatable, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    /// Names of variables to pass on where they are set; one that ends in `*` stands for all that begin so.
    public var passed: [String]
    /// Variables with a value of their own.
    public var values: [String: String]

    public init(passed: [String], values: [String: String] = [:]) {
        self.passed = passed
        self.values = values
    }

    public init(arrayLiteral names: String...) { self.init(passed: names) }

    public init(dictionaryLiteral values: (String, String)...) {
        self.init(passed: [], values: Dictionary(values) { $1 })
    }

    /// What every Swift program may see: where things are, how texts are written, and settings of the runtime. Of Martlet's own
    /// variables those that lead to a database are left out, because of their passwords; they have to be named.
    public static let needed = [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR", "TMPDIR", "LD_LIBRARY_PATH", "SWIFT_*",
        "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "SSL_CERT_FILE", "SSL_CERT_DIR", "MARTLET_*",
    ]

    private static let secrets = ["URL", "PASSWORD", "TOKEN", "SECRET", "KEY"]

    /// The environment of a child.
    /// - Parameter ours: of this process.
    package func applied(to ours: [String: String]) -> [String: String] {
        var environment = ours.filter { name, _ in
            Self.matches(Self.needed, name) && !Self.secrets.contains { name.hasSuffix($0) } || Self.matches(passed, name)
        }
        for (name, value) in values { environment[name] = value }
        return environment
    }

    private static func matches(_ names: [String], _ name: String) -> Bool {
        names.contains { $0 == name || $0.hasSuffix("*") && name.hasPrefix($0.dropLast()) }
    }

    /// Both; where both have a value, the other one's counts.
    package func merging(_ other: ChildEnvironment) -> ChildEnvironment {
        ChildEnvironment(passed: passed + other.passed, values: values.merging(other.values) { $1 })
    }

    /// Names that are to be passed on, and are not there.
    package func missing(in ours: [String: String]) -> [String] {
        passed.filter { !$0.hasSuffix("*") && ours[$0] == nil }
    }

    /// - Throws: ``InvalidInput`` about `environment`.
    package func validate() throws(InvalidInput) {
        for name in passed where name != "*" { try Self.validate(name.hasSuffix("*") ? String(name.dropLast()) : name) }
        for (name, value) in values {
            try Self.validate(name)
            if value.utf8.contains(0) {
                throw InvalidInput(field: "environment", reason: "the value of \(name) holds a NUL byte")
            }
        }
    }

    /// - Throws: ``InvalidInput`` about `environment`.
    package static func validate(_ name: String) throws(InvalidInput) {
        let first = name.utf8.first ?? UInt8(ascii: "=")
        guard first != UInt8(ascii: "="), !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
            !name.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "*") })
        else {
            throw InvalidInput(
                field: "environment", reason: "\(name.debugDescription) is not the name of an environment variable")
        }
    }
}

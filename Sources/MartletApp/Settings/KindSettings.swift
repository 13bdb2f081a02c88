import MartletCore
import MartletWebhooks
import MartletWorker
import Yams

/// One entry of `kinds:`: how jobs of a kind are run here.
struct KindSettings: Sendable {
    enum Work: Sendable {
        case command(CommandSpec)
        case http(HTTPSpec)
    }

    let kind: String
    let work: Work
    let timeout: Duration
    private(set) var concurrency: Int?
    /// The worker finds the number; ``concurrency`` is then the most.
    let adapts: Bool
    let retry: RetryPolicy
    let onBlock: OnBlock

    private static let keys = [
        "command", "http", "timeout", "concurrency", "retry", "on_block", "environment", "directory", "limits", "user",
        "group",
        "nice",
    ]

    private static let hints: [String: String] = {
        let retry = "how often a job is tried is said by retry: { max: 5 }"
        let names = ["max_attempts", "maxAttempts", "max_retries", "attempts", "retries", "max", "base", "cap", "delays"]
        return Dictionary(uniqueKeysWithValues: names.map { ($0, retry) })
    }()

    init(kind: String, _ value: YAMLValue) throws(InvalidInput) {
        try value.checked { () throws(InvalidInput) in try Name.validate(kind, field: kind) }
        let mapping = try value.mapping()
        try mapping.checkKeys(Self.keys, hints: Self.hints)
        self.kind = kind
        work = try Self.work(value, mapping)
        timeout =
            try mapping["timeout"].map { value throws(InvalidInput) in
                try value.duration(in: WorkerRanges.timeout)
            } ?? Limits.defaultTimeout
        (concurrency, adapts) =
            try mapping["concurrency"].map { value throws(InvalidInput) in
                try Self.concurrency(value)
            } ?? (nil, false)
        retry =
            try mapping["retry"].map { value throws(InvalidInput) in
                try RetrySettings.policy(value)
            } ?? RetryPolicy()
        onBlock = try mapping["on_block"].map { value throws(InvalidInput) in try Self.onBlock(value) } ?? .warn
    }

    private static func onBlock(_ value: YAMLValue) throws(InvalidInput) -> OnBlock {
        let text = try value.text()
        if let known = OnBlock(rawValue: text) { return known }
        let known = OnBlock.allCases.map(\.rawValue).joined(separator: ", ")
        throw value.invalid("\(SafeText.line(text.debugDescription)) is unknown; there is \(known)")
    }

    /// A number, `auto`, or `{ auto: { max: 64 } }`.
    private static func concurrency(_ value: YAMLValue) throws(InvalidInput) -> (Int?, adapts: Bool) {
        switch value.node {
        case .scalar(let scalar):
            if scalar.string == "auto" { return (nil, true) }
            return (try value.integer(in: WorkerRanges.concurrency, or: "auto"), false)
        case .mapping:
            let mapping = try value.mapping()
            try mapping.checkKeys(["auto"])
            guard let auto = mapping["auto"] else { throw value.invalid("expected a number, auto or { auto: { max: 64 } }") }
            let bounds = try auto.mapping()
            try bounds.checkKeys(["max"])
            return (
                try bounds["max"].map { value throws(InvalidInput) in
                    try value.integer(in: WorkerRanges.concurrency)
                }, true
            )
        case .sequence, .alias:
            throw value.invalid("expected a number, auto or { auto: { max: 64 } }")
        }
    }

    private static func work(_ value: YAMLValue, _ mapping: YAMLMapping) throws(InvalidInput) -> Work {
        switch (mapping["command"], mapping["http"]) {
        case (let command?, nil):
            var spec = try Self.command(command, mapping)
            spec.conditions = try ChildSettings.conditions(mapping)
            return .command(spec)
        case (nil, let http?):
            for key in ["environment", "directory", "limits", "user", "group", "nice"] {
                if let other = mapping[key] { throw mapping.place(of: key, or: other).invalid("goes with command only") }
            }
            return .http(try HTTPSettings.spec(http))
        case (nil, nil): throw value.invalid("says no command and no http")
        case (.some, let http?): throw mapping.place(of: "http", or: http).invalid("stands beside command; one of them runs")
        }
    }

    private static func command(_ value: YAMLValue, _ mapping: YAMLMapping) throws(InvalidInput) -> CommandSpec {
        if case .scalar = value.node {
            throw value.invalid("expected a list such as [convert, \"-\"]; there is no shell to split one text into words")
        }
        let argv = try value.texts()
        guard !argv.isEmpty else { throw value.invalid("is empty; the first entry is the program to run") }
        // First by itself, so that what is wrong with it is not said of the environment.
        _ = try value.checked { () throws(InvalidInput) in try CommandSpec(argv: argv) }
        let directory = try mapping["directory"].map { value throws(InvalidInput) in try value.text() }
        guard let environment = mapping["environment"] else {
            return try value.checked { () throws(InvalidInput) in try CommandSpec(argv: argv, workingDirectory: directory) }
        }
        let (passed, set) = try variables(environment)
        return try environment.checked { () throws(InvalidInput) in
            try CommandSpec(argv: argv, passedEnvironment: passed, environment: set, workingDirectory: directory)
        }
    }

    /// A list passes variables of ours on; keys with values set them.
    private static func variables(_ value: YAMLValue) throws(InvalidInput) -> ([String], [String: String]) {
        switch value.node {
        case .sequence:
            return (try value.texts(), [:])
        case .mapping:
            var set: [String: String] = [:]
            for (name, entry) in try value.mapping().entries { set[name] = try entry.text() }
            return ([], set)
        case .scalar, .alias:
            throw value.invalid("expected a list of names to pass on, [NAME], or values to set, { NAME: value }")
        }
    }

    /// What a kind with `auto` adds to the jobs that a worker runs at a time when nobody said how many those are.
    var room: Int { adapts ? concurrency ?? 100 : 0 }

    /// The same with a limit, unless it has one.
    func atMost(_ limit: Int?) -> KindSettings {
        var copy = self
        copy.concurrency = concurrency ?? limit
        return copy
    }
}

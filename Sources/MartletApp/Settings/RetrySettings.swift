import MartletCore

/// `{ max: 5, base: 2s, cap: 1h, jitter: 0.2 }`, the same with `policy: linear` or `policy: fixed`, or
/// `{ delays: [1s, 10s, 5m] }`.
enum RetrySettings {
    private enum Policy: String, CaseIterable {
        case exponential, linear, fixed, list
    }

    static func policy(_ value: YAMLValue) throws(InvalidInput) -> RetryPolicy {
        let mapping = try value.mapping()
        let max = "the number of attempts is max, as in retry: { max: 5 }"
        try mapping.checkKeys(
            ["policy", "max", "base", "cap", "jitter", "delays"],
            hints: [
                "max_attempts": max, "attempts": max, "retries": max, "max_retries": max,
                "step": "each step of policy: linear is base", "delay": "the delay of policy: fixed is base",
            ])
        let jitter = try mapping["jitter"].map { value throws(InvalidInput) in try value.number(in: 0...1) }
        let policy = try mapping["policy"].map { value throws(InvalidInput) in try named(value) }
        if let delays = mapping["delays"] {
            if let policy, policy != .list {
                throw delays.invalid("goes with policy: list alone, which needs no policy at all; not with \(policy)")
            }
            return try listed(delays, mapping, jitter: jitter)
        }
        let spread = jitter ?? RetryPolicy().jitter
        let attempts = try mapping["max"].map { value throws(InvalidInput) in try value.integer(in: Limits.maxAttempts) }
        return RetryPolicy(
            maxAttempts: attempts ?? Limits.defaultMaxAttempts,
            backoff: try backoff(policy ?? .exponential, mapping), jitter: spread)
    }

    private static func named(_ value: YAMLValue) throws(InvalidInput) -> Policy {
        let text = try value.text()
        guard let policy = Policy(rawValue: text) else {
            let names = Policy.allCases.map(\.rawValue)
            let hint = Suggestion.nearest(to: text, in: names).map { "did you mean \($0)?" }
            throw value.invalid("is no policy; \(hint ?? "there is \(names.joined(separator: ", "))")")
        }
        return policy
    }

    private static func backoff(_ policy: Policy, _ mapping: YAMLMapping) throws(InvalidInput) -> RetryPolicy.Backoff {
        let given = try mapping["base"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.delay) }
        let base = given ?? .seconds(2)
        let cap =
            try mapping["cap"].map { value throws(InvalidInput) in
                try value.duration(in: WorkerRanges.delay)
            } ?? .seconds(86_400)
        if mapping["cap"] != nil || policy != .fixed, base > cap {
            throw mapping.value.invalid("base is longer than cap: \(base.text), \(cap.text)")
        }
        switch policy {
        case .exponential:
            return .exponential(base: base, cap: cap)
        case .linear:
            guard given != nil else { throw mapping.value.invalid("policy: linear needs base, the length of a step") }
            return .linear(step: base, cap: cap)
        case .fixed:
            guard given != nil else { throw mapping.value.invalid("policy: fixed needs base, the delay") }
            if let cap = mapping["cap"] { throw cap.invalid("goes without policy: fixed, whose delays do not grow") }
            return .fixed(base)
        case .list:
            throw mapping.value.invalid("policy: list needs delays, such as delays: [1s, 10s, 5m]")
        }
    }

    private static func listed(
        _ value: YAMLValue, _ mapping: YAMLMapping, jitter: Double?
    ) throws(InvalidInput) -> RetryPolicy {
        for key in ["max", "base", "cap"] {
            if let other = mapping[key] {
                throw mapping.place(of: key, or: other)
                    .invalid("goes without delays: a list of delays says both how often and how long")
            }
        }
        let delays = try value.list().map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.delay) }
        guard !delays.isEmpty else { throw value.invalid("is an empty list; write retry: { max: 1 } for no second attempt") }
        guard delays.count < Limits.maxAttempts.upperBound else {
            throw value.invalid("lists \(delays.count) delays; at most \(Limits.maxAttempts.upperBound - 1)")
        }
        return .delays(delays, jitter: jitter ?? 0)
    }
}

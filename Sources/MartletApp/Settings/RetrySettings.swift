import MartletCore

/// `{ max: 5, base: 2s, cap: 1h, jitter: 0.2 }` or `{ delays: [1s, 10s, 5m] }`.
enum RetrySettings {
    static func policy(_ value: YAMLValue) throws(InvalidInput) -> RetryPolicy {
        let mapping = try value.mapping()
        let max = "the number of attempts is max, as in retry: { max: 5 }"
        try mapping.checkKeys(
            ["max", "base", "cap", "jitter", "delays"],
            hints: ["max_attempts": max, "attempts": max, "retries": max, "max_retries": max])
        let jitter = try mapping["jitter"].map { value throws(InvalidInput) in try value.number(in: 0...1) }
        if let delays = mapping["delays"] { return try listed(delays, mapping, jitter: jitter) }

        let standard = RetryPolicy()
        var policy = RetryPolicy(jitter: jitter ?? standard.jitter)
        if let max = mapping["max"] { policy.maxAttempts = try max.integer(in: Limits.maxAttempts) }
        guard case .exponential(var base, var cap) = standard.backoff else { return policy }
        if let given = mapping["base"] { base = try given.duration(in: WorkerRanges.delay) }
        if let given = mapping["cap"] { cap = try given.duration(in: WorkerRanges.delay) }
        guard base <= cap else { throw value.invalid("base is longer than cap: \(base.text), \(cap.text)") }
        policy.backoff = .exponential(base: base, cap: cap)
        return policy
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

/// How long to wait before the next try while the store is away: doubling up to a bound, spread so that the workers of a
/// database that comes back do not all arrive at once.
struct Backoff: Equatable {
    static let base: Duration = .milliseconds(50)
    static let cap: Duration = .seconds(5)

    private var failures = 0

    /// - Parameter random: uniform in 0..<1.
    mutating func next(random: Double) -> Duration {
        let ceiling = min(Self.base * (1 << min(failures, 10)), Self.cap)
        failures += 1
        // Half is fixed, so that a try is never repeated at once.
        return ceiling * (0.5 + random / 2)
    }

    mutating func reset() { failures = 0 }
}

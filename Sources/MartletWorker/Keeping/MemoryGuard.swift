import MartletCore

/// Decides when the process has had too much memory for too long.
struct MemoryGuard {
    /// A peak that is gone by then is nobody's reason to start again.
    static let patience: Duration = .seconds(3)

    private let limit: Int
    private var since: Moment?

    init(limit: Int) { self.limit = limit }

    /// - Parameter hasWorked: a worker that is too large before its first job would be it again, and again.
    /// - Returns: what to end for.
    mutating func check(resident: Int, hasWorked: Bool, now: Moment) -> MemoryExceeded? {
        guard resident > limit else {
            since = nil
            return nil
        }
        let began = since ?? now
        since = began
        guard hasWorked, now >= began + Self.patience else { return nil }
        return MemoryExceeded(resident: resident, limit: limit)
    }
}

import MartletCore

/// What a status means for a job.
///
/// A rule for one status comes before everything, and one for a class (`4xx`) before the defaults of that class, but not
/// before those that a status has of its own: `4xx: retry` is about the *other* ones.
///
/// | status | by default |
/// |---|---|
/// | 2xx | completed |
/// | 408, 429, 5xx | retry |
/// | 410 | discard |
/// | 3xx, other 4xx | discard: the same request gets the same answer, and a job that fails at once is seen at once |
package struct StatusRules: Sendable, Equatable {
    package enum Verdict: String, Sendable, CaseIterable {
        case completed, retry, discard
    }

    private var exact: [Int: Verdict] = [:]
    private var classes: [Int: Verdict] = [:]

    package init() {}

    /// - Parameter key: `404`, or `4xx`.
    package mutating func set(_ key: String, to verdict: Verdict, field: String) throws(InvalidInput) {
        if let status = Int(key), (200...599).contains(status) {
            exact[status] = verdict
        } else if key.utf8.count == 3, key.lowercased().hasSuffix("xx"), let digit = key.first?.wholeNumberValue,
            (2...5).contains(digit)
        {
            classes[digit] = verdict
        } else {
            throw InvalidInput(
                field: field, reason: "\(key.debugDescription) is neither a status, 200 to 599, nor 2xx to 5xx")
        }
    }

    func verdict(_ status: Int) -> Verdict {
        if let given = exact[status] { return given }
        switch status {
        case 408, 429: return .retry
        case 410: return .discard
        default: break
        }
        if let given = classes[status / 100] { return given }
        switch status {
        case 200..<300: return .completed
        case 300..<500: return .discard
        // Also numbers that no class has: whatever answered there is not what was meant to.
        default: return .retry
        }
    }
}

import MartletCore

/// Option values that arrive as text, each with a message that names the option and what would be right.
enum Values {
    static func state(_ text: String, field: String = "--state") throws(InvalidInput) -> JobState {
        guard let state = JobState(rawValue: text) else {
            let names = JobState.allCases.map(\.rawValue)
            let known =
                Suggestion.nearest(to: text, in: names).map { "did you mean \($0)?" }
                ?? "there is \(names.joined(separator: ", "))"
            throw InvalidInput(field: field, reason: "unknown state \(text.debugDescription); \(known)")
        }
        return state
    }

    static func integer(_ text: String, field: String, in range: ClosedRange<Int>) throws(InvalidInput) -> Int {
        guard let value = Int(text) else {
            throw InvalidInput(field: field, reason: "\(text.debugDescription) is not a whole number")
        }
        guard range.contains(value) else {
            let bound =
                range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
            throw InvalidInput(field: field, reason: "\(value) is out of range; \(bound)")
        }
        return value
    }

    /// - Parameter text: nil: it was not given.
    static func integer(_ text: String?, field: String, in range: ClosedRange<Int>) throws(InvalidInput) -> Int? {
        guard let text else { return nil }
        return try integer(text, field: field, in: range) as Int
    }

    /// - Parameter text: nil: it was not given.
    static func duration(
        _ text: String?, field: String, in range: ClosedRange<Duration>
    ) throws(InvalidInput) -> Duration? {
        guard let text else { return nil }
        let duration = try Duration(parsing: text, field: field)
        guard range.contains(duration) else {
            throw InvalidInput(
                field: field, reason: "\(text) is out of range; \(range.lowerBound.text) to \(range.upperBound.text)")
        }
        return duration
    }

    static func priority(_ text: String, field: String = "--priority") throws(InvalidInput) -> Priority {
        guard let value = Int(text) else {
            throw InvalidInput(field: field, reason: "\(text.debugDescription) is not a number; 0 (most urgent) to 9")
        }
        return try Priority(validating: value, field: field)
    }

    static func id(_ text: String, field: String = "ID") throws(InvalidInput) -> JobID {
        guard let value = Int64(text), value > 0 else {
            throw InvalidInput(
                field: field, reason: "\(text.debugDescription) is not a job id; ids are whole numbers from 1")
        }
        return JobID(rawValue: value)
    }

    /// A moment, or how long ago: `2026-01-31T12:00:00Z`, `1h`.
    static func since(_ text: String, now: Timestamp, field: String = "--since") throws(InvalidInput) -> Timestamp {
        if let ago = try? Duration(parsing: text, field: field), ago <= Limits.scheduleAhead { return now - ago }
        do {
            return try Timestamp(rfc3339: text, field: field)
        } catch {
            throw InvalidInput(field: field, reason: "\(error.reason); or how long ago, for example 1h")
        }
    }

    static func name(_ text: String, field: String) throws(InvalidInput) -> String {
        try Name.validate(text, field: field)
        return text
    }

    static func list(_ text: String, field: String) throws(InvalidInput) -> [String] {
        var names: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            names.append(try name(String(part), field: field))
        }
        return names
    }
}

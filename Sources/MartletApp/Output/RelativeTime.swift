import MartletCore

/// Times as a person reads them: the two largest units, `3h 12m ago`, `in 5m`.
enum RelativeTime {
    static func text(_ moment: Timestamp, now: Timestamp) -> String {
        let distance = moment - now
        if distance > .milliseconds(999) { return "in " + span(distance) }
        if distance < .milliseconds(-999) { return span(.zero - distance) + " ago" }
        return "now"
    }

    /// `850ms`, `42s`, `3h 12m`.
    static func span(_ duration: Duration) -> String {
        let seconds = Int64(duration.inSeconds)
        guard seconds > 0 else { return "\(max(0, duration.milliseconds))ms" }
        let units: [(size: Int64, name: String)] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")]
        guard let first = units.firstIndex(where: { seconds >= $0.size }) else { return "0s" }
        let major = "\(seconds / units[first].size)\(units[first].name)"
        guard first + 1 < units.count else { return major }
        let rest = seconds % units[first].size / units[first + 1].size
        return rest == 0 ? major : "\(major) \(rest)\(units[first + 1].name)"
    }
}

import Glibc
import MartletCore
import MartletWorker

/// What a kind says about the conditions its commands run under: `limits`, `user`, `group`, `nice`.
enum ChildSettings {
    static func conditions(_ mapping: YAMLMapping) throws(InvalidInput) -> ChildConditions {
        var conditions = ChildConditions()
        if let value = mapping["limits"] { conditions.limits = try limits(value.mapping()) }
        if let value = mapping["nice"] { conditions.nice = try value.integer(in: WorkerRanges.nice) }
        var account: (user: uid_t, group: gid_t)?
        var other: gid_t?
        if let value = mapping["user"] { account = try user(value) }
        if let value = mapping["group"] { other = try group(value) }
        Identity.own.assign(user: account, group: other, to: &conditions)
        return conditions
    }

    private static func limits(_ mapping: YAMLMapping) throws(InvalidInput) -> ProcessLimits {
        try mapping.checkKeys(["memory", "cpu", "files", "processes"])
        var limits = ProcessLimits()
        if let value = mapping["memory"] { limits.memory = try value.bytes(in: Limits.childMemory) }
        if let value = mapping["cpu"] { limits.cpu = try value.duration(in: Limits.childTime) }
        if let value = mapping["files"] { limits.files = try value.integer(in: Limits.childFiles) }
        if let value = mapping["processes"] { limits.processes = try value.integer(in: Limits.childProcesses) }
        return limits
    }

    private static func user(_ value: YAMLValue) throws(InvalidInput) -> (user: uid_t, group: gid_t) {
        let text = try value.text()
        guard let found = Account.user(text) else { throw value.invalid("there is no user \(text.debugDescription)") }
        guard Identity.own.canBecome(found.user) else {
            throw value.invalid("only a worker that root runs can run commands as another user")
        }
        return found
    }

    private static func group(_ value: YAMLValue) throws(InvalidInput) -> gid_t {
        let text = try value.text()
        guard let found = Account.group(text) else { throw value.invalid("there is no group \(text.debugDescription)") }
        guard Identity.own.canTake(group: found) else {
            throw value.invalid("only a worker that root runs can run commands as another group")
        }
        return found
    }
}

extension YAMLValue {
    /// `512MiB`; `MB` and the like count in thousands.
    func bytes(in range: ClosedRange<Int>, atLeast least: String = "1MiB") throws(InvalidInput) -> Int {
        let text = try text()
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), let unit = Self.units[String(text.dropFirst(digits.count))] else {
            throw invalid("expected a size such as 512MiB, found \(SafeText.line(text.debugDescription))")
        }
        let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: unit)
        guard !isTooMuch, range.contains(bytes) else { throw invalid("\(text) is out of range; \(least) to 1PiB") }
        return bytes
    }

    private static let units = [
        "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000,
        "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
    ]
}

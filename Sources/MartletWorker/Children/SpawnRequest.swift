import CMartletLinux
import Glibc
import MartletCore

/// A program to run and the conditions it runs under.
struct SpawnRequest: Sendable {
    /// The file itself: nobody looks it up any more.
    var path: String
    var argv: [String]
    var environment: [String: String]
    /// nil: ours.
    var directory: String?
    var conditions = ChildConditions()

    /// As a supervisor reads it.
    var bytes: [UInt8] {
        var texts: [UInt8] = []
        for text in [path, directory ?? ""] + argv + environment.map({ "\($0.key)=\($0.value)" }) {
            texts += text.utf8
            texts.append(0)
        }
        let limits = conditions.limits
        let header = martlet_spawn_request(
            bytes: UInt32(texts.count), argc: UInt32(argv.count), envc: UInt32(environment.count),
            memory: Int64(limits.memory ?? -1),
            // The kernel counts whole seconds, and 0 would be none at all.
            cpu: limits.cpu.map { max(1, ($0.nanoseconds + 999_999_999) / 1_000_000_000) } ?? -1,
            files: Int64(limits.files ?? -1), processes: Int64(limits.processes ?? -1),
            user: conditions.user.map { Int64($0) } ?? -1, group: conditions.group.map { Int64($0) } ?? -1,
            nice: Int64(conditions.nice ?? -1))
        return withUnsafeBytes(of: header) { Array($0) } + texts
    }
}

/// What a child may take, and who it is.
package struct ChildConditions: Sendable, Equatable {
    package var limits: ProcessLimits
    /// nil: ours. Either one takes all supplementary groups away.
    package var user: uid_t?
    package var group: gid_t?
    /// 0 to 19, where that is nicer than we are.
    package var nice: Int?

    package init(limits: ProcessLimits = .none, user: uid_t? = nil, group: gid_t? = nil, nice: Int? = nil) {
        self.limits = limits
        self.user = user
        self.group = group
        self.nice = nice
    }
}

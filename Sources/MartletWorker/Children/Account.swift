import Glibc

/// Users and groups of this machine, by name or number.
package enum Account {
    /// - Returns: the user and its group; nil: there is no such user.
    package static func user(_ text: String) -> (user: uid_t, group: gid_t)? {
        if let account = getpwnam(text) { return (account.pointee.pw_uid, account.pointee.pw_gid) }
        guard let number = uid_t(text) else { return nil }
        // A number that no account has brings no group; ours must not stay.
        return (number, getpwuid(number)?.pointee.pw_gid ?? gid_t(number))
    }

    package static func group(_ text: String) -> gid_t? { getgrnam(text)?.pointee.gr_gid ?? gid_t(text) }
}

/// Who a process is, which decides whom its children can be.
package struct Identity: Sendable {
    package let user: uid_t
    package let group: gid_t

    package static var own: Identity { Identity(user: geteuid(), group: getegid()) }

    package init(user: uid_t, group: gid_t) {
        self.user = user
        self.group = group
    }

    private var isRoot: Bool { user == 0 }

    package func canBecome(_ user: uid_t) -> Bool { isRoot || self.user == user }
    package func canTake(group: gid_t) -> Bool { isRoot || self.group == group }

    /// - Parameters:
    ///   - user: with its group; one that ``canBecome(_:)`` allows.
    ///   - group: instead of the user's; one that ``canTake(group:)`` allows.
    package func assign(
        user: (user: uid_t, group: gid_t)?, group: gid_t?, to conditions: inout ChildConditions
    ) {
        // Without privileges there is nobody to become but who we are, and the kernel refuses even to be asked for that.
        guard isRoot else { return }
        conditions.user = user?.user
        conditions.group = group ?? user?.group
    }
}

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

    /// Whether processes of this one can become that user.
    package static func canBecome(_ user: uid_t) -> Bool { geteuid() == 0 || geteuid() == user }
    package static var canChangeGroup: Bool { geteuid() == 0 }
}

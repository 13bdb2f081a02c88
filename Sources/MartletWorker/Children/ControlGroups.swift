import CMartletLinux
import Foundation
import Glibc

/// Where control groups for children can be made: below our own, in the hierarchy of cgroup v2, where that is ours to use. That
/// is the root that we see, as in a container, or what systemd has delegated to us (`Delegate=yes`).
///
/// A child in a group of its own is killed with all its descendants at one stroke. Without, supervisors find them one by one.
enum ControlGroups {
    static let directory: String? = {
        guard let mounts = text("/proc/self/mountinfo"), let groups = text("/proc/self/cgroup"),
            let place = place(mounts: mounts, groups: groups), isOurs(place)
        else { return nil }
        removeEmpty(in: place.directory)
        return place.directory
    }()

    struct Place: Equatable {
        /// Where the hierarchy is mounted.
        let mount: String
        /// Our own group.
        let directory: String
    }

    /// - Parameters:
    ///   - mounts: as `/proc/self/mountinfo` has it.
    ///   - groups: as `/proc/self/cgroup` has it.
    static func place(mounts: String, groups: String) -> Place? {
        guard let own = groups.split(separator: "\n").first(where: { $0.hasPrefix("0::/") })?.dropFirst(3) else {
            return nil
        }
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let dash = words.firstIndex(of: "-"), dash + 1 < words.count, words[dash + 1] == "cgroup2", words.count > 4
            else { continue }
            // A part of the hierarchy may be mounted, with us outside of it.
            let (root, mount) = (words[3] == "/" ? "" : words[3], String(words[4]))
            guard !mount.contains("\\"), own == root || own.hasPrefix(root + "/"), !own.hasPrefix("/..") else { continue }
            let below = own.dropFirst(root.count)
            return Place(mount: mount, directory: below == "/" ? mount : mount + below)
        }
        return nil
    }

    private static func isOurs(_ place: Place) -> Bool {
        guard access(place.directory, W_OK) == 0, access(place.directory + "/cgroup.procs", W_OK) == 0 else { return false }
        var path = place.directory
        while path != place.mount, path.hasPrefix(place.mount) {
            if isDelegated(path) { return true }
            path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }
        return place.directory == place.mount || isDelegated(place.mount)
    }

    /// systemd says so, to everybody and to root.
    private static func isDelegated(_ path: String) -> Bool {
        ["user.delegate", "trusted.delegate"].contains { name in
            var value = [UInt8](repeating: 0, count: 8)
            return getxattr(path, name, &value, value.count) == 1 && value[0] == UInt8(ascii: "1")
        }
    }

    /// What supervisors that were killed have left. The kernel keeps those that are in use.
    private static func removeEmpty(in directory: String) {
        guard let stream = opendir(directory) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(MARTLET_GROUP_PREFIX) { rmdir("\(directory)/\(name)") }
        }
    }

    private static func text(_ path: String) -> String? {
        // Files of the kernel: where they are not there, there are no groups either.
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

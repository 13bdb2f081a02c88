import Foundation
import Glibc

/// A killed process that nobody has reaped yet is a zombie, and dead for our purposes.
package func isAlive(_ pid: pid_t) -> Bool {
    guard let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return false }
    // The name stands in parentheses, and may hold some itself.
    let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last
    return fields?.hasPrefix(" Z") == false
}

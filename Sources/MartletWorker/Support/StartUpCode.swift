import CMartletLinux

/// What a program touches of its code once, to start: half of what a worker that waits for jobs would keep in memory.
package enum StartUpCode {
    /// All code is unmapped, and what is used comes back by itself, from the page cache. Costs whoever runs at that time some
    /// hundred short page faults.
    package static func letGo() { martlet_let_go_of_code() }
}

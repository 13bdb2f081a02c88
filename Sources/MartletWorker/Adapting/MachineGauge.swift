import Glibc

/// How busy the processors are, and how much memory there is for us: of the machine, or of our control group where it is less.
package struct MachineGauge {
    private var ticks: (busy: Int, all: Int)?
    private let group = ControlGroup()

    mutating func read() -> AutoLimit.Machine {
        var machine = AutoLimit.Machine()
        if let now = Self.processorTicks(ProcFile.read("/proc/stat")) {
            if let ticks, now.all > ticks.all {
                machine.processors = Double(now.busy - ticks.busy) / Double(now.all - ticks.all)
            }
            ticks = now
        }
        if let whole = Self.memory(ProcFile.read("/proc/meminfo")) {
            machine.memory = group.narrowed(whole)
        }
        return machine
    }

    /// `cpu  user nice system idle iowait irq softirq steal …`
    static func processorTicks(_ stat: String) -> (busy: Int, all: Int)? {
        guard let line = stat.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
        let numbers = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
        guard numbers.count >= 5 else { return nil }
        let all = numbers.reduce(0, +)
        return (all - numbers[3] - numbers[4], all)
    }

    static func memory(_ meminfo: String) -> (available: Int, total: Int)? {
        var available: Int?
        var total: Int?
        for line in meminfo.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let kibibytes = Int(words[1]) else { continue }
            if words[0] == "MemAvailable:" { available = kibibytes * 1_024 }
            if words[0] == "MemTotal:" { total = kibibytes * 1_024 }
        }
        guard let available, let total else { return nil }
        return (available, total)
    }

    /// Bytes of this process in memory, and the most it had; nil where nobody knows.
    static func memory() -> (resident: Int, highest: Int)? {
        guard let resident = resident() else { return nil }
        return (resident, max(highest(ProcFile.read("/proc/self/status")) ?? 0, resident))
    }

    /// Since the program began, as `VmHWM:   2012 kB`; the process may have been another program before.
    static func highest(_ status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        return nil
    }

    /// Bytes of this process in memory; nil where nobody knows.
    package static func resident() -> Int? {
        resident(ProcFile.read("/proc/self/statm"), page: Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    /// `size resident shared …`, in pages.
    static func resident(_ statm: String, page: Int) -> Int? {
        let words = statm.split(separator: " ")
        guard words.count >= 2, let pages = Int(words[1]) else { return nil }
        return pages * page
    }
}

/// Files of the kernel: small, made as they are read.
enum ProcFile {
    /// Empty where there is none: old kernels and containers lack some, and what they would say is then unknown.
    static func read(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes: [UInt8] = []
        while bytes.count < 1 << 20 {
            let piece = [UInt8](unsafeUninitializedCapacity: 8_192) { buffer, count in
                count = max(Glibc.read(file, buffer.baseAddress, buffer.count), 0)
            }
            if piece.isEmpty { break }
            bytes += piece
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The memory limit that a container or a service manager sets, by either version of control groups.
struct ControlGroup {
    private struct Files {
        let limit: String
        let usage: String
        let statistics: String
        let cache: String
    }

    private let files: [Files]

    init(membership: String = ProcFile.read("/proc/self/cgroup")) {
        var files: [Files] = []
        for line in membership.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            // In a container of its own the group is seen as the root.
            let paths = parts[2] == "/" ? [""] : [String(parts[2]), ""]
            if parts[1].isEmpty {
                files += paths.map { path in
                    let base = "/sys/fs/cgroup\(path)/memory"
                    return Files(
                        limit: base + ".max", usage: base + ".current", statistics: base + ".stat", cache: "inactive_file")
                }
            } else if parts[1].split(separator: ",").contains("memory") {
                files += paths.map { path in
                    let base = "/sys/fs/cgroup/memory\(path)/memory"
                    return Files(
                        limit: base + ".limit_in_bytes", usage: base + ".usage_in_bytes", statistics: base + ".stat",
                        cache: "total_inactive_file")
                }
            }
        }
        self.files = files
    }

    func narrowed(_ whole: (available: Int, total: Int)) -> (available: Int, total: Int) {
        for files in files {
            guard let limit = Self.number(files.limit), limit < whole.total, let usage = Self.number(files.usage) else {
                continue
            }
            // Pages of files that nobody used lately go as soon as somebody needs room.
            let cache = Self.value(files.cache, in: ProcFile.read(files.statistics)) ?? 0
            return (min(whole.available, max(limit - usage + cache, 0)), limit)
        }
        return whole
    }

    private static func number(_ path: String) -> Int? {
        ProcFile.read(path).split(separator: "\n").first.flatMap { Int($0) }
    }

    static func value(_ key: String, in statistics: String) -> Int? {
        for line in statistics.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == key { return Int(words[1]) }
        }
        return nil
    }
}

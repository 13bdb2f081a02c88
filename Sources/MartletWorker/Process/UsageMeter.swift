import Glibc
import MartletCore
import Synchronization

/// What each run takes, in a process that has one at a time.
final class UsageMeter: Sendable {
    private let began = Mutex(Duration.zero)

    init() { reset() }

    /// - Parameter cpuSeconds: of this run; SIGXCPU comes then.
    func begin(cpuSeconds: Int64?) {
        let now = Self.processorTime
        began.withLock { $0 = now }
        guard let cpuSeconds else { return }
        var limit = rlimit()
        getrlimit(Self.cpu, &limit)
        // Up to the next whole second, so that it is never less than was allowed.
        limit.rlim_cur = min(limit.rlim_max, rlim_t((now.nanoseconds + 999_999_999) / 1_000_000_000 + cpuSeconds))
        setrlimit(Self.cpu, &limit)
    }

    func end() -> (usage: Usage, resident: Int) {
        let (peak, resident) = Self.memory()
        return (Usage(peakMemory: peak, processorTime: Self.processorTime - began.withLock { $0 }), resident ?? 0)
    }

    /// The kernel forgets the largest memory so far.
    func reset() {
        let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        // Where it may not, peaks are of the whole life: still true, if less telling.
        write(file, "5", 1)
        close(file)
    }

    private static let cpu = __rlimit_resource_t(RLIMIT_CPU.rawValue)

    private static var processorTime: Duration {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return .seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + .microseconds(Int64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec))
    }

    private static func memory() -> (peak: Int?, resident: Int?) {
        let file = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return (nil, nil) }
        defer { close(file) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
            count = max(0, read(file, buffer.baseAddress, buffer.count))
        }
        return (kibibytes(after: "VmHWM:", in: bytes), kibibytes(after: "VmRSS:", in: bytes))
    }

    private static func kibibytes(after name: StaticString, in bytes: [UInt8]) -> Int? {
        let count = name.utf8CodeUnitCount
        return name.withUTF8Buffer { name in
            guard
                let start = (0..<max(0, bytes.count - count)).first(where: { start in
                    bytes[start] == name[0] && bytes[start..<(start + count)].elementsEqual(name)
                })
            else { return nil }
            let digits = bytes[(start + count)...].drop { $0 == 9 || $0 == 32 }.prefix { $0 >= 48 && $0 <= 57 }
            return digits.isEmpty ? nil : digits.reduce(0) { $0 * 10 + Int($1 - 48) } * 1_024
        }
    }
}

import Foundation
import Glibc
import MartletCore

/// What figures mean nothing without.
package struct Machine: Sendable, Equatable {
    package var processor: String
    package var processors: Int
    package var memory: Int
    package var kernel: String

    package init(processor: String, processors: Int, memory: Int, kernel: String) {
        self.processor = processor
        self.processors = processors
        self.memory = memory
        self.kernel = kernel
    }

    static func own() -> Machine {
        Machine(
            processor: field("model name", in: "/proc/cpuinfo") ?? "an unknown processor",
            processors: ProcessInfo.processInfo.activeProcessorCount,
            memory: Int(clamping: ProcessInfo.processInfo.physicalMemory),
            kernel: kernel())
    }

    private static func kernel() -> String {
        var info = utsname()
        guard uname(&info) == 0 else { return "Linux" }
        let release = withUnsafeBytes(of: &info.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return "Linux \(release)"
    }

    package var text: String { "\(processors) × \(processor), \(ByteCount.text(memory)), \(kernel)" }

    /// nil on processors of which the kernel does not say it.
    private static func field(_ name: String, in path: String) -> String? {
        guard let text = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
            .flatMap { $0.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } }
    }
}

/// What this process has taken so far.
enum OwnUsage {
    /// Of all threads, user and system, in seconds.
    static func processorSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
    }
}

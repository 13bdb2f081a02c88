import Foundation
import MartletCore

/// What figures mean nothing without.
struct Machine: Codable {
    let processor: String
    let processors: Int
    let gibibytes: Int
    let kernel: String
    let martlet: String

    init() throws {
        processor = try Self.field("model name", in: "/proc/cpuinfo") ?? "an unknown processor"
        processors = ProcessInfo.processInfo.processorCount
        gibibytes = Int((Double(ProcessInfo.processInfo.physicalMemory) / 1_073_741_824).rounded())
        kernel = try String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        martlet = Version.current
    }

    var line: String { "\(processors) × \(processor), \(gibibytes) GiB, Linux \(kernel); martlet \(martlet)" }

    private static func field(_ name: String, in path: String) throws -> String? {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").first { $0.hasPrefix(name) }
            .flatMap { $0.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } }
    }
}

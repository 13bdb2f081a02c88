import ArgumentParser
import MartletCore
import MartletStore

struct DoctorCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what is wrong: versions, the database, kinds that nobody serves, disk space.",
        discussion: "Ends with status 1 when it finds a problem; warnings and notes do not count.")

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let url = try database.url(console)
        return try await database.withStore(console, .existing) { store in
            var findings = [Finding("martlet", .ok, "version \(Version.current), database \(url.text)")]
            findings += try await store.diagnose()
            findings += Self.service(try await store.queues())
            for finding in findings { try write(finding, console) }
            return findings.contains { $0.level == .problem } ? .failed : .done
        }
    }

    /// Kinds that jobs wait for and no live worker takes.
    private static func service(_ queues: [QueueSummary]) -> [Finding] {
        let stranded = queues.filter(\.isStranded)
        guard !stranded.isEmpty else { return [Finding("service", .ok, "every kind that jobs wait for is served")] }
        return stranded.map {
            Finding(
                "service", .warning,
                "\($0.strandedText); start a worker whose martlet.yaml declares \(SafeText.line($0.kind))")
        }
    }

    private func write(_ finding: Finding, _ console: Console) throws {
        guard !format.json else { return try console.output.write(JSONWriter(finding: finding)) }
        let style = console.output.style
        let (word, ink): (String, Style.Ink) =
            switch finding.level {
            case .ok: ("ok     ", .green)
            case .note: ("note   ", .cyan)
            case .warning: ("warning", .yellow)
            case .problem: ("problem", .red)
            }
        try console.output.write(
            "\(style.paint(word, ink))  \(style.paint(finding.check, .bold)): \(SafeText.line(finding.message))\n")
    }
}

import ArgumentParser
import MartletCore
import MartletStore

struct DoctorCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what is wrong: versions, the database, kinds that nobody serves, disk space.",
        discussion: """
            Ends with status 1 when it finds a problem; with --strict also for a warning.

            EXAMPLES:
              martlet doctor
              martlet doctor --strict --json
            """)

    @Flag(help: "Warnings count as problems.")
    var strict = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let choice = try database.choice(console)
        return try await database.withStore(console, .existing) { store in
            var findings = [
                Finding("martlet", .ok, "version \(Version.current), database \(choice.url.located.text) (\(choice.origin))")
            ]
            findings += try await store.diagnose()
            let queues = try await store.queues()
            findings += Self.service(queues)
            findings += Self.paused(queues)
            findings.append(try await Self.failures(store, now: console.now()))
            for finding in findings { try write(finding, console) }
            return findings.contains { $0.level >= (strict ? .warning : .problem) } ? .failed : .done
        }
    }

    /// Kinds that jobs wait for and no live worker takes.
    private static func service(_ queues: [QueueSummary]) -> [Finding] {
        let stranded = queues.filter(\.isStranded)
        guard !stranded.isEmpty else { return [Finding("service", .ok, "every kind that jobs wait for is served")] }
        return stranded.map { Finding("service", .warning, "\($0.strandedText); \($0.remedy)") }
    }

    /// Pauses are forgotten.
    private static func paused(_ queues: [QueueSummary]) -> [Finding] {
        Dictionary(grouping: queues.filter(\.isPaused), by: \.queue).sorted { $0.key < $1.key }.map { name, kinds in
            let count = kinds.reduce(0) { $0 + $1.waiting }
            let waiting = "\(Counted.jobs(count)) \(count == 1 ? "waits" : "wait") in it"
            return Finding(
                "paused", .note, "queue \(SafeText.line(name)) is paused, and \(waiting); martlet queues resume \(name)")
        }
    }

    /// Groups that failures of the last hour are looked for in, and jobs of each: enough to say that something is going wrong.
    private static let (groups, jobs) = (100, 100)

    private static func failures(_ store: any JobStore, now: Timestamp) async throws -> Finding {
        let hour = now - .seconds(3_600)
        let groups = try await store.failures(limit: groups)
        var count = 0
        var isAll = groups.count < Self.groups
        for group in groups where group.lastSeen >= hour {
            guard group.firstSeen < hour else {
                count += group.count
                continue
            }
            let filter = JobFilter(kind: group.kind, fingerprint: group.fingerprint)
            let page = try await store.list(JobQuery(state: .failed, filter: filter, limit: jobs))
            count += page.jobs.count { job in job.finishedAt.map { $0 >= hour } ?? false }
            isAll = isAll && page.next == nil
        }
        guard count > 0 else { return Finding("failures", .ok, "no job failed in the last hour") }
        return Finding(
            "failures", .note,
            "\(isAll ? "" : "at least ")\(Counted.jobs(count)) failed in the last hour; see martlet failed")
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

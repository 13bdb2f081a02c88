import ArgumentParser
import MartletCore
import MartletStore

/// What `jobs retry`, `cancel` and `discard` have in common: jobs by id, or all that match after a count and a yes.
struct RepairOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("Ids of jobs. Without any, --state says which.", valueName: "id"))
    var ids: [String] = []

    @Option(
        help: ArgumentHelp(
            "All jobs in this state; --kind, --queue, --since and --error narrow it down.", valueName: "state"))
    var state: String?

    @OptionGroup var filter: FilterOptions

    @Flag(help: "Only say how many jobs it would be.")
    var dryRun = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    /// - Parameter attempts: how many more a retried job has.
    func execute(_ repair: Repair, attempts: Int? = nil, _ console: Console) async throws -> ExitStatus {
        let selection = try selection(for: repair, now: console.now())
        return try await database.withStore(console, .existing) { store in
            switch selection {
            case .ids: try await repairNamed(repair, attempts, selection, store, console)
            case .matching: try await repairMatching(repair, attempts, selection, store, console)
            }
        }
    }

    private func selection(for repair: Repair, now: Timestamp) throws -> JobSelection {
        guard ids.isEmpty else {
            guard state == nil, filter.isEmpty else {
                throw InvalidInput(field: "ID", reason: "name jobs either by id or by --state and filters, not both")
            }
            var seen: Set<JobID> = []
            return .ids(try ids.map { text throws(InvalidInput) in try Values.id(text) }.filter { seen.insert($0).inserted })
        }
        let takes = repair.states.map(\.rawValue).sorted().joined(separator: ", ")
        guard let state else {
            throw InvalidInput(field: "ID", reason: "no jobs named; give ids, or --state with one of \(takes)")
        }
        let wanted = try Values.state(state)
        guard repair.states.contains(wanted) else {
            throw Failure(.refused, "\(repair.rawValue) takes \(takes) jobs, not \(wanted.rawValue) ones")
        }
        return .matching(states: [wanted], filter: try filter.filter(now: now))
    }

    private func repairNamed(
        _ repair: Repair, _ attempts: Int?, _ selection: JobSelection, _ store: any JobStore, _ console: Console
    ) async throws -> ExitStatus {
        let reply =
            dryRun
            ? try await store.preview(repair, selection) : try await store.carryOut(repair, selection, attempts: attempts)
        try report(repair, attempts, reply, console)
        for refusal in reply.refused {
            try console.say("martlet: job \(refusal.id) is \(refusal.state.rawValue): \(repair.refusal(of: refusal.state))")
        }
        for id in reply.missing { try console.say("martlet: job \(id) not found") }
        if !reply.refused.isEmpty { return .refused }
        return reply.missing.isEmpty ? .done : .notFound
    }

    private func repairMatching(
        _ repair: Repair, _ attempts: Int?, _ selection: JobSelection, _ store: any JobStore, _ console: Console
    ) async throws -> ExitStatus {
        let preview = try await store.preview(repair, selection)
        guard !dryRun, preview.changed > 0 else {
            try report(repair, attempts, preview, console)
            return .done
        }
        // Where somebody is asked, the question says it.
        if yes || console.answer == nil { try console.say("\(Counted.jobs(preview.changed)) to \(repair.rawValue)") }
        try confirm(repair, preview.changed, console)
        var line = ProgressLine(console)
        defer { line.clear() }
        let reply = try await store.carryOut(repair, selection, attempts: attempts) { done, all in
            line.show("\(Counted.grouped(done)) of \(Counted.grouped(all)) jobs")
        }
        line.clear()
        try report(repair, attempts, reply, console)
        return .done
    }

    private func confirm(_ repair: Repair, _ count: Int, _ console: Console) throws {
        guard !yes else { return }
        guard let answer = console.answer else {
            throw Failure(.refused, "nothing changed: add --yes to \(repair.rawValue) \(Counted.jobs(count))")
        }
        try console.errors.write("\(repair.rawValue) \(Counted.jobs(count))? [y/N] ")
        guard let said = answer()?.lowercased(), said == "y" || said == "yes" else {
            throw Failure(.refused, "nothing changed")
        }
    }

    private func report(_ repair: Repair, _ attempts: Int?, _ reply: RepairReply, _ console: Console) throws {
        if format.json {
            try console.output.write(JSONWriter(repair: repair, reply, dryRun: dryRun))
        } else if dryRun {
            try console.output.write("would \(repair.rawValue) \(Counted.jobs(reply.changed)); nothing changed\n")
        } else {
            try console.output.write(text(repair, reply) + "\n")
            if repair == .retry, reply.changed > 0 { try console.say(Self.note(attempts)) }
        }
    }

    /// How often the retried jobs may fail.
    private static func note(_ attempts: Int?) -> String {
        guard let attempts else { return "with 1 more attempt where none was left; --attempts N gives N" }
        return "with \(attempts) more \(attempts == 1 ? "attempt" : "attempts")"
    }

    /// Those that run have only been asked, and end when their worker has stopped them.
    private func text(_ repair: Repair, _ reply: RepairReply) -> String {
        let done = reply.changed - reply.requested
        let asked = "asked \(Counted.jobs(reply.requested)) to stop"
        guard reply.requested > 0 else { return "\(repair.past) \(Counted.jobs(done))" }
        return done == 0 ? asked : "\(repair.past) \(Counted.jobs(done)), \(asked)"
    }
}

extension Repair {
    fileprivate var past: String {
        switch self {
        case .retry: "retried"
        case .cancel: "cancelled"
        case .discard: "discarded"
        }
    }

    /// Why a job in this state is left alone, and what can be done instead.
    fileprivate func refusal(of state: JobState) -> String {
        switch (self, state) {
        case (.retry, .available): "it waits for a worker already"
        case (.retry, .running): "cancel it first"
        case (.retry, .completed): "it is done; enqueue it anew to do it again"
        case (.cancel, .completed), (.cancel, .failed), (.cancel, .cancelled): "it has ended"
        case (.discard, .completed): "it goes by itself when its retention is over"
        case (.discard, _): "cancel it first"
        case (.retry, _), (.cancel, _): "its state does not allow it"
        }
    }
}

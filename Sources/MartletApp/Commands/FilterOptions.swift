import ArgumentParser
import MartletCore
import MartletStore

struct FilterOptions: ParsableArguments {
    @Option(help: "Only this kind.")
    var kind: String?

    @Option(help: "Only this queue.")
    var queue: String?

    @Option(help: ArgumentHelp("Enqueued at this time or later, or at most this long ago (1h).", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Only the failures of this group, as `martlet failed` names it.", valueName: "fingerprint"))
    var error: String?

    func filter(now: Timestamp) throws(InvalidInput) -> JobFilter {
        var filter = JobFilter(fingerprint: error)
        if let kind { filter.kind = try Values.name(kind, field: "--kind") }
        if let queue { filter.queue = try Values.name(queue, field: "--queue") }
        if let since { filter.since = try Values.since(since, now: now) }
        return filter
    }

    var isEmpty: Bool { kind == nil && queue == nil && since == nil && error == nil }
}

import MartletCore
import MartletStore

/// Everything but single jobs as scripts see it. Keys and their order are a contract, as in ``JobJSON``.
extension JSONWriter {
    init(rebase reply: RebaseReply) {
        self.init()
        field("repair", "rebase")
        field("needed", reply.needed)
        field("available", reply.available)
        field("running", reply.running)
    }

    init(repair: Repair, _ reply: RepairReply, dryRun: Bool) {
        self.init()
        field("repair", repair.rawValue)
        field("dry_run", dryRun)
        field("changed", reply.changed)
        field("requested", reply.requested)
        field("refused", reply.refused.map(JSONWriter.init(refusal:)))
        array("missing", reply.missing.map(\.rawValue))
    }

    private init(refusal: RepairReply.Refusal) {
        self.init()
        field("id", refusal.id.rawValue)
        field("state", refusal.state.rawValue)
    }

    init(group: FailureGroup, retry: String) {
        self.init()
        field("kind", group.kind)
        field("fingerprint", group.fingerprint)
        field("type", group.type)
        field("message", group.message)
        field("count", group.count)
        field("first_seen", group.firstSeen)
        field("last_seen", group.lastSeen)
        field("example", group.example.rawValue)
        field("retry", retry)
    }

    init(queue: QueueSummary) {
        self.init()
        field("queue", queue.queue)
        field("kind", queue.kind)
        field("workers", queue.workers)
        field("served", queue.workers > 0)
        field("counts", JSONWriter(counts: queue.counts))
        seconds("oldest_available_seconds", queue.oldestAvailable)
    }

    init(stats: StoreStats) {
        self.init()
        field("counts", JSONWriter(counts: stats.counts))
        seconds("oldest_available_seconds", stats.oldestAvailable)
    }

    private init(counts: [JobState: Int]) {
        self.init()
        for state in JobState.allCases { field(state.rawValue, counts[state] ?? 0) }
    }

    init(worker: WorkerSummary) {
        self.init()
        field("id", worker.id.rawValue)
        field("name", worker.name)
        field("host", worker.host)
        field("pid", worker.pid)
        field("version", worker.version)
        field("alive", worker.alive)
        field("running", worker.running)
        field("concurrency", worker.concurrency)
        field("kinds", worker.kinds)
        field("queues", worker.queues)
        field("started_at", worker.startedAt)
        field("heartbeat_at", worker.heartbeatAt)
        field("report", worker.report)
    }

    init(finding: Finding) {
        self.init()
        field("check", finding.check)
        field("level", finding.level.rawValue)
        field("message", finding.message)
    }

    init(migration: MigrationStatus) {
        self.init()
        field("current", migration.current)
        field("latest", migration.latest)
        field("pending", migration.pending)
    }
}

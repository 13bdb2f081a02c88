import MartletCore
import MartletStore
import MartletWorker

/// Jobs as scripts see them. Keys and their order are a contract: new ones are added at the end, none goes.
extension JSONWriter {
    init(enqueued id: JobID, _ job: NewJob) {
        self.init()
        field("id", id.rawValue)
        field("kind", job.kind)
        field("queue", job.queue)
    }

    init(job: JobSummary) {
        self.init(listed: job)
        field("cursor", job.cursor)
        field("cancel_requested", job.cancelRequested)
        field("progress", job.progress.map(JSONWriter.init(progress:)))
    }

    init(detail: JobDetail) {
        self.init(listed: detail.summary)
        field("reason", detail.reason?.rawValue)
        field("lease", detail.lease?.rawValue)
        field("crashes", detail.crashes)
        field("timeout", detail.timeout?.text)
        field("errors", detail.errors.map(JSONWriter.init(attempt:)))
        field("result", detail.result)
        field("timeline", Timeline.events(of: detail).map(JSONWriter.init(event:)))
        field("cancel_requested", detail.summary.cancelRequested)
        field("progress", detail.summary.progress.map(JSONWriter.init(progress:)))
        field("expires_at", detail.expiry?.at)
        field("expired", detail.expiry?.isOver ?? false || detail.reason == .expired)
        field("usage", detail.usage.map(JSONWriter.init(usage:)))
        field("result_truncated", detail.result.map(CommandResult.isCut) ?? false)
    }

    private init(listed job: JobSummary) {
        self.init()
        field("id", job.id.rawValue)
        field("kind", job.kind)
        field("queue", job.queue)
        field("priority", job.priority.rawValue)
        field("state", job.state.rawValue)
        field("attempt", job.attempt)
        field("max_attempts", job.maxAttempts)
        field("enqueued_at", job.enqueuedAt)
        field("run_at", job.runAt)
        field("started_at", job.startedAt)
        field("finished_at", job.finishedAt)
        field("worker", job.worker)
        field("args", job.args)
        field("error", job.error.map(JSONWriter.init(last:)))
    }

    private init(usage: AttemptUsage) {
        self.init()
        field("attempt", usage.attempt)
        field("at", usage.at)
        field("peak_memory_bytes", usage.usage.peakMemory)
        seconds("processor_seconds", usage.usage.processorTime)
        seconds("blocked_seconds", usage.usage.blocked)
    }

    private init(progress: ProgressReport) {
        self.init()
        field("percent", progress.percent)
        field("note", progress.note)
        field("at", progress.at)
    }

    private init(last error: AttemptError) {
        self.init()
        field("type", error.error.type)
        field("message", error.error.message)
        field("at", error.at)
        field("attempt", error.attempt)
    }

    private init(attempt error: AttemptError) {
        self.init()
        field("attempt", error.attempt)
        field("max_attempts", error.maxAttempts)
        field("type", error.error.type)
        field("message", error.error.message)
        field("detail", error.error.detail)
        field("started_at", error.startedAt)
        field("at", error.at)
        field("worker", error.worker)
    }

    private init(event: Timeline.Event) {
        self.init()
        field("at", event.at)
        field("event", event.name.rawValue)
        field("attempt", event.attempt)
        field("worker", event.worker)
        field("message", event.message)
    }
}

import MartletCore
import MartletStore

/// What the worker says of itself, and what it takes over from the one before it.
extension FloorState {
    mutating func report(memory: (resident: Int, highest: Int)?) -> WorkerReport {
        var report = WorkerReport()
        for (index, handler) in handlers.enumerated() {
            var kind = WorkerReport.Kind(concurrency: intake.limit(index))
            if let auto = paces[index] {
                kind.concurrency = auto.base.limit
                kind.reason = auto.base.reason
                kind.found = auto.hasFound ? auto.base.limit : nil
            } else if handler.executor == .blocking, intake.limit(index) == pools.blocking.most,
                handler.concurrency != pools.blocking.most
            {
                kind.reason = "one per thread for handlers that block"
            }
            blocking.describe(&kind, kind: index)
            report.kinds[handler.kind] = kind
        }
        vitals.describe(&report, memory: memory)
        return report
    }

    /// Limits that an earlier worker had found.
    mutating func remember(_ report: WorkerReport) {
        for (index, handler) in handlers.enumerated() {
            if let found = report.kinds[handler.kind]?.found { paces.remember(found, kind: index) }
        }
        for (kind, limit) in paces.limits { intake.limit(kind, to: limit) }
    }
}

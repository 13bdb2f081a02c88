import MartletCore
import Synchronization

/// The kinds that this program runs when it is started again as a child.
final class ChildKinds: Sendable {
    /// nil: it would not become a child at all.
    private let kinds = Mutex<Set<String>?>(nil)

    func add(_ names: [String]) { kinds.withLock { $0 = ($0 ?? []).union(names) } }

    func contains(_ kind: String) -> Bool { kinds.withLock { $0?.contains(kind) ?? false } }

    /// - Throws: ``InvalidInput`` about `jobs`.
    func check(_ job: any Job.Type) throws(InvalidInput) {
        guard job.executor == .process, !contains(job.kind) else { return }
        let isCalled = kinds.withLock { $0 != nil }
        throw InvalidInput(
            field: "jobs",
            reason: "\(job.kind) runs in child processes, which are this program started again: "
                + (isCalled
                    ? "name \(job).self in `Worker.runAsChild(jobs:)`, too"
                    : "call `await Worker.runAsChild(jobs: [\(job).self])` first thing in main"))
    }
}

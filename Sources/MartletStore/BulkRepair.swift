import MartletCore

/// Repairs of selections, which are of any size: looked up once and repaired in pieces, so that others get their turn in between,
/// and a job that comes back into the selection meanwhile is not taken twice.
extension JobStore {
    /// - Parameters:
    ///   - attempts: see ``JobStore/repair(_:_:only:dryRun:attempts:)``.
    ///   - progress: told after each piece how many jobs of how many have been looked at.
    package func carryOut(
        _ repair: Repair, _ selection: JobSelection, attempts: Int? = nil,
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) async throws(StoreError) -> RepairReply {
        let ids: [JobID]
        let states: Set<JobState>
        switch selection {
        case .ids(let named):
            return try await self.repair(repair, named, only: nil, dryRun: false, attempts: attempts)
        case .matching(let selected, let filter):
            ids = try await candidates(repair, selected, filter)
            states = selected
        }
        var changed = 0
        var requested = 0
        for start in stride(from: 0, to: ids.count, by: Limits.repairPiece) {
            let end = min(start + Limits.repairPiece, ids.count)
            do {
                let piece = Array(ids[start..<end])
                let reply = try await self.repair(repair, piece, only: states, dryRun: false, attempts: attempts)
                changed += reply.changed
                requested += reply.requested
            } catch {
                throw StoreError(error.code, "\(error.message); \(changed) of \(ids.count) jobs were changed before that")
            }
            progress(end, ids.count)
        }
        return RepairReply(changed: changed, requested: requested)
    }

    /// How many jobs a repair would take, and how many of the named ones it would refuse. Changes nothing.
    package func preview(_ repair: Repair, _ selection: JobSelection) async throws(StoreError) -> RepairReply {
        switch selection {
        case .ids(let ids): try await self.repair(repair, ids, only: nil, dryRun: true, attempts: nil)
        case .matching(let states, let filter): RepairReply(changed: try await candidates(repair, states, filter).count)
        }
    }

    package func cancel(_ selection: JobSelection) async throws(StoreError) -> RepairReply {
        try await carryOut(.cancel, selection)
    }

    package func retry(_ selection: JobSelection, attempts: Int? = nil) async throws(StoreError) -> RepairReply {
        try await carryOut(.retry, selection, attempts: attempts)
    }

    package func discard(_ selection: JobSelection) async throws(StoreError) -> RepairReply {
        try await carryOut(.discard, selection)
    }
}

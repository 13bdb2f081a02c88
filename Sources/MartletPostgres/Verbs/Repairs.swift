import MartletCore
import MartletPQ
import MartletStore

/// What people do to jobs. Large selections are repaired in pieces, so that nobody waits long for a lane; each job once, even
/// if it is back in its old state before the last piece is done.
struct Repairs: Sendable {
    private let repair: Statement
    private let select: Statement

    private static let piece = 2_000

    init(_ place: Place) {
        let schema = place.quoted
        repair = Statement(
            "select changed, requested, refused, refused_states, missing from \(schema).repair($1, $2, $3, $4)")
        select = Statement(
            "select coalesce(array_agg(id), '{}') from \(schema).select_ids($1, $2, $3, $4, $5, $6) as id")
    }

    func run(_ repair: Repair, _ selection: JobSelection, _ database: Database) async throws(StoreError) -> RepairReply {
        switch selection {
        case .ids(let ids):
            return try await run(repair, ids, only: nil, dryRun: false, database)
        case .matching(let states, let filter):
            let ids = try await ids(repair, states, filter, limit: Int(Int32.max) - 1, database)
            var changed = 0
            var requested = 0
            for start in stride(from: 0, to: ids.count, by: Self.piece) {
                let part = Array(ids[start..<min(start + Self.piece, ids.count)])
                let piece = try await run(repair, part, only: states, dryRun: false, database)
                changed += piece.changed
                requested += piece.requested
            }
            return RepairReply(changed: changed, requested: requested)
        }
    }

    func preview(_ repair: Repair, _ selection: JobSelection, _ database: Database) async throws(StoreError) -> RepairReply {
        switch selection {
        case .ids(let ids):
            try await run(repair, ids, only: nil, dryRun: true, database)
        case .matching(let states, let filter):
            RepairReply(changed: try await ids(repair, states, filter, limit: Int(Int32.max) - 1, database).count)
        }
    }

    private func ids(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter, limit: Int, _ database: Database
    ) async throws(StoreError) -> [JobID] {
        let states = states.intersection(repair.states).map(\.rawValue)
        let rows = try await database.run(
            select,
            [
                .texts(states), .text(filter.kind), .text(filter.queue), .timestamptz(filter.since?.microseconds),
                .text(filter.fingerprint), .int4(Int32(limit)),
            ])
        return rows.int8s(0, 0).map { JobID(rawValue: $0) }
    }

    private func run(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool, _ database: Database
    ) async throws(StoreError) -> RepairReply {
        let rows = try await database.run(
            self.repair,
            [
                .text(repair.rawValue), .int8s(ids.map(\.rawValue)), .bool(dryRun),
                states.map { Value.texts($0.map(\.rawValue)) } ?? .null,
            ])
        let refused = zip(rows.int8s(0, 2), rows.texts(0, 3)).compactMap { id, state in
            state.flatMap(JobState.init(rawValue:)).map { RepairReply.Refusal(id: JobID(rawValue: id), state: $0) }
        }
        return RepairReply(
            changed: Int(rows.int(0, 0)), requested: Int(rows.int(0, 1)), refused: refused,
            missing: rows.int8s(0, 4).map { JobID(rawValue: $0) })
    }
}

import MartletCore
import MartletPQ
import MartletStore

/// What people do to jobs: `repair` and `select_ids` in `migrations/`.
struct Repairs: Sendable {
    private let repair: Statement
    private let select: Statement
    private let pause: Statement

    init(_ place: Place) {
        let schema = place.quoted
        repair = Statement(
            "select changed, requested, refused, refused_states, missing from \(schema).repair($1, $2, $3, $4, $5)")
        pause = Statement("select \(schema).pause_queue($1, $2)")
        select = Statement(
            "select coalesce(array_agg(id), '{}') from \(schema).select_ids($1, $2, $3, $4, $5, $6) as id")
    }

    func candidates(
        _ repair: Repair, _ states: Set<JobState>, _ filter: JobFilter, _ database: Database
    ) async throws(StoreError) -> [JobID] {
        let states = states.intersection(repair.states).map(\.rawValue)
        let rows = try await database.run(
            select,
            [
                .texts(states), .text(filter.kind), .text(filter.queue), .timestamptz(filter.since?.microseconds),
                .text(filter.fingerprint), .int4(.max - 1),
            ])
        return rows.int8s(0, 0).map { JobID(rawValue: $0) }
    }

    func pause(_ queue: String, _ isPaused: Bool, _ database: Database) async throws(StoreError) -> Bool {
        try await database.run(pause, [.text(queue), .bool(isPaused)]).bool(0, 0)
    }

    func run(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, dryRun: Bool, attempts: Int?, _ database: Database
    ) async throws(StoreError) -> RepairReply {
        let rows = try await database.run(
            self.repair,
            [
                .text(repair.rawValue), .int8s(ids.map(\.rawValue)), .bool(dryRun),
                states.map { Value.texts($0.map(\.rawValue)) } ?? .null,
                attempts.map { .int4(Int32(clamping: $0)) } ?? .null,
            ])
        let refused = zip(rows.int8s(0, 2), rows.texts(0, 3)).compactMap { id, state in
            state.flatMap(JobState.init(rawValue:)).map { RepairReply.Refusal(id: JobID(rawValue: id), state: $0) }
        }
        return RepairReply(
            changed: Int(rows.int(0, 0)), requested: Int(rows.int(0, 1)), refused: refused,
            missing: rows.int8s(0, 4).map { JobID(rawValue: $0) })
    }
}

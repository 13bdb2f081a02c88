import MartletCore
import MartletPQ
import MartletStore

/// Counts per state and queue, and groups of failures.
struct Stats: Sendable {
    private let lanes: Statement
    private let failures: Statement

    init(_ place: Place) {
        let schema = place.quoted
        lanes = Statement(
            """
            select queue, kind, scheduled, available, running, retryable, completed, failed, cancelled,
              (extract(epoch from \(schema).clock() - oldest) * 1000000)::int8, paused
            from \(schema).lane_counts()
            """)
        failures = Statement(
            """
            select g.kind, g.fingerprint, g.type, g.message, g.count, g.first_seen_at, g.last_seen_at, max(f.id)
            from (select * from \(schema).failure order by last_seen_at desc, id desc limit $1) g
            join \(schema).failed f on f.failure = g.id
            group by g.id, g.kind, g.fingerprint, g.type, g.message, g.count, g.first_seen_at, g.last_seen_at
            order by g.last_seen_at desc, g.id desc
            """)
    }

    private struct Lane {
        let queue: String
        let kind: String
        let counts: [JobState: Int]
        let oldest: Duration?
        let isPaused: Bool
    }

    func run(_ database: Database) async throws(StoreError) -> StoreStats {
        let lanes = try await all(database)
        let paused = lanes.filter(\.isPaused).map { ($0.queue, $0.counts[.available] ?? 0) }.filter { $0.1 > 0 }
        return StoreStats(
            counts: Self.sum(lanes), oldestAvailable: lanes.compactMap(\.oldest).max(),
            paused: Dictionary(paused, uniquingKeysWith: +))
    }

    func queues(_ workers: [WorkerSummary], _ database: Database) async throws(StoreError) -> [QueueSummary] {
        let groups = Dictionary(grouping: try await all(database)) { [$0.queue, $0.kind] }
        return groups.values.map { lanes in
            let (queue, kind) = (lanes[0].queue, lanes[0].kind)
            return QueueSummary(
                queue: queue, kind: kind, counts: Self.sum(lanes), oldestAvailable: lanes.compactMap(\.oldest).max(),
                workers: workers.count { $0.alive && $0.kinds.contains(kind) && $0.queues?.contains(queue) != false },
                isPaused: lanes.contains(where: \.isPaused))
        }.sorted { ($0.queue, $0.kind) < ($1.queue, $1.kind) }
    }

    func failures(limit: Int, _ database: Database) async throws(StoreError) -> [FailureGroup] {
        let rows = try await database.read(failures, [.int8(Int64(limit))])
        return (0..<rows.count).map { row in
            FailureGroup(
                kind: rows.text(row, 0), fingerprint: rows.text(row, 1), type: rows.text(row, 2), message: rows.text(row, 3),
                count: Int(rows.int(row, 4)), firstSeen: Timestamp(microseconds: rows.timestamptz(row, 5)),
                lastSeen: Timestamp(microseconds: rows.timestamptz(row, 6)), example: JobID(rawValue: rows.int(row, 7)))
        }
    }

    private func all(_ database: Database) async throws(StoreError) -> [Lane] {
        let rows = try await database.read(lanes)
        let states: [JobState] = [.scheduled, .available, .running, .retryable, .completed, .failed, .cancelled]
        return (0..<rows.count).map { row in
            Lane(
                queue: rows.text(row, 0), kind: rows.text(row, 1),
                counts: Dictionary(
                    uniqueKeysWithValues: states.enumerated().map { ($0.element, Int(rows.int(row, $0.offset + 2))) }),
                oldest: rows.optionalInt(row, 9).map { max(.zero, .microseconds($0)) }, isPaused: rows.bool(row, 10))
        }
    }

    private static func sum(_ lanes: [Lane]) -> [JobState: Int] {
        var total = Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, 0) })
        for lane in lanes { total.merge(lane.counts, uniquingKeysWith: +) }
        return total
    }
}

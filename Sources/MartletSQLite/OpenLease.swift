import GRDB
import MartletCore
import MartletStore

/// A lease with its marks at hand; unless asked for otherwise, one that still accepts settlements.
struct OpenLease {
    let id: LeaseID
    let lane: Int64
    let worker: String?
    let claimedAt: Timestamp
    let isRevoked: Bool
    /// Whether a job of it has said how far it is.
    private let isNoted: Bool
    let positions: LeasePositions
    private(set) var marks: LeaseMarks
    private var open: Int
    private var completed: Int

    /// nil when there is no such lease, or it was revoked: the fence.
    init?(_ id: LeaseID, _ db: Database, evenIfRevoked: Bool = false) throws {
        let row = try db.first(
            """
            select l.lane, w.name, l.first, l.count, l.positions, l.open, l.completed, l.endings, l.times, l.claimed_at, l.revoked_at,
              l.noted
            from martlet_lease l left join martlet_worker w on w.id = l.worker
            where l.id = ? and (l.revoked_at is null or ?)
            """, .int(id.rawValue), .int(evenIfRevoked ? 1 : 0)
        ) { row in
            (
                lane: row.int(0), worker: row.optionalText(1),
                positions: try LeasePositions(first: row.int(2), count: row.count(3), stored: row.optionalBytes(4)),
                open: row.count(5), completed: row.count(6),
                marks: try LeaseMarks(count: row.count(3), endings: row.optionalBytes(7), times: row.optionalBytes(8)),
                claimedAt: Timestamp(microseconds: row.int(9)), isRevoked: !row.isNull(10),
                isNoted: row.int(11) != 0
            )
        }
        guard let row else { return nil }
        self.id = id
        lane = row.lane
        worker = row.worker
        positions = row.positions
        open = row.open
        completed = row.completed
        marks = row.marks
        claimedAt = row.claimedAt
        isRevoked = row.isRevoked
        isNoted = row.isNoted
    }

    func isOpen(_ index: Int) -> Bool { (0..<positions.count).contains(index) && marks[index] == .open }

    mutating func mark(_ settlement: Settlement, as mark: LeaseMarks.Mark) {
        marks.set(settlement.index, mark, settlement.seconds)
        open -= 1
        if mark == .completed { completed += 1 }
    }

    func write(now: Timestamp, _ db: Database) throws {
        try db.run(
            """
            update martlet_lease set open = ?2, completed = ?3, endings = ?4, times = ?5,
              finished_at = case when ?2 = 0 then coalesce(finished_at, ?6) end
            where id = ?1
            """,
            .int(id.rawValue), .int(open), .int(completed), .blob(marks.endings), .blob(marks.times),
            .int(now.microseconds))
        if open == 0 { try forget(db) }
    }

    /// What is known of its running jobs alone, when none runs any more.
    func forget(_ db: Database) throws {
        try db.run("delete from martlet_cancel_request where lease = ?", .int(id.rawValue))
        if isNoted { try db.run("delete from martlet_progress where lease = ?", .int(id.rawValue)) }
    }

    /// nil: it never did.
    func startedAt(of settlement: Settlement) -> Timestamp? {
        if case .failed(_, .expired) = settlement.ending { return nil }
        return claimedAt + settlement.waited
    }

    func history(of settlement: Settlement) -> LogEntry.History {
        LogEntry.History(startedAt: startedAt(of: settlement), worker: worker)
    }
}

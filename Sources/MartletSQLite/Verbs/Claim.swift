import GRDB
import MartletCore
import MartletStore

/// One row that says "these jobs, this worker".
enum Claim {
    /// Looked at before a transaction is begun, so that an idle worker's polling writes nothing.
    static func hasWork(_ request: ClaimRequest, _ db: Database) throws -> Bool {
        var walk = try LanesWithWork(request, db)
        return try walk.next() != nil
    }

    static func run(_ request: ClaimRequest, now: Timestamp, _ db: Database) throws -> [Lease] {
        guard try Workers.isAlive(request.worker, db) else { return [] }
        var tally = LaneTally()
        var leases: [Lease] = []
        var left = Budget(request)
        for lane in try lanes(for: request, db) {
            while let limit = left.limit(for: lane.key.kind) {
                guard let taken = try lane.take(limit, for: request.worker, now: now, &tally, db) else { break }
                left.spend(taken, of: lane.key.kind)
                if !taken.jobs.isEmpty { leases.append(taken) }
            }
        }
        try tally.write(now: now, db)
        return leases
    }

    // MARK: Which lanes

    /// The most urgent priority first, then the lane whose head waits longest: as many as the request can empty.
    private static func lanes(for request: ClaimRequest, _ db: Database) throws -> [ClaimableLane] {
        var walk = try LanesWithWork(request, db)
        var lanes: [ClaimableLane] = []
        var available = 0
        while available < request.limit, let (lane, count) = try walk.next() {
            lanes.append(lane)
            available += count
        }
        return lanes
    }

    /// Steps over the lanes with work in their order, by the index that holds no others.
    private struct LanesWithWork: ~Copyable {
        private let wanted: [String: Int]
        private let queues: Set<String>?
        private let statement: SQLStatement

        init(_ request: ClaimRequest, _ db: Database) throws {
            wanted = Dictionary(request.wants.map { ($0.kind, $0.limit) }, uniquingKeysWith: max)
            queues = request.queues.map(Set.init)
            statement = try db.prepared(
                """
                select id, queue, kind, priority, available from martlet_lane indexed by martlet_lane_open
                where available > 0 and paused = 0 order by priority, since
                """)
        }

        deinit { statement.reset() }

        /// The count is what the request may take of the lane.
        mutating func next() throws -> (ClaimableLane, Int)? {
            while try statement.step() {
                let key = LaneKey(queue: statement.text(1), kind: statement.text(2), priority: statement.count(3))
                guard let limit = wanted[key.kind], limit > 0, queues?.contains(key.queue) != false else { continue }
                return (ClaimableLane(id: statement.int(0), key: key), min(limit, statement.count(4)))
            }
            return nil
        }
    }

    /// What may still be claimed.
    private struct Budget {
        private var total: Int
        private var bytes = Limits.leaseBytes
        private var kinds: [String: Int]
        /// Long runs of cancelled jobs are left behind a piece at a time; the next claim goes on there.
        private var skips = 10

        init(_ request: ClaimRequest) {
            total = request.limit
            kinds = Dictionary(request.wants.map { ($0.kind, $0.limit) }, uniquingKeysWith: max)
        }

        /// nil when nothing of the kind may be claimed any more.
        func limit(for kind: String) -> Int? {
            let limit = min(total, kinds[kind] ?? 0, Limits.leaseJobs)
            return limit > 0 && bytes > 0 && skips > 0 ? limit : nil
        }

        mutating func spend(_ lease: Lease, of kind: String) {
            if lease.jobs.isEmpty { skips -= 1 }
            total -= lease.jobs.count
            kinds[kind]! -= lease.jobs.count
            bytes -= lease.jobs.reduce(0) { $0 + $1.args.utf8.count }
        }
    }
}

import GRDB
import MartletCore
import MartletStore

struct LaneKey: Hashable {
    let queue: String
    let kind: String
    let priority: Int
}

enum Lanes {
    static func id(_ key: LaneKey, _ db: Database) throws -> Int64 {
        let select = "select id from martlet_lane where queue = ? and kind = ? and priority = ?"
        if let id = try db.first(select, .text(key.queue), .text(key.kind), .int(key.priority), read: { $0.int(0) }) {
            return id
        }
        try db.run(
            "insert into martlet_lane (queue, kind, priority) values (?, ?, ?)", .text(key.queue), .text(key.kind),
            .int(key.priority))
        return db.lastInsertedRowID
    }

    static func all(_ db: Database) throws -> [Int64: LaneKey] {
        let rows = try db.rows("select id, queue, kind, priority from martlet_lane") {
            ($0.int(0), LaneKey(queue: $0.text(1), kind: $0.text(2), priority: $0.count(3)))
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    /// Those a filter lets through.
    static func matching(_ filter: JobFilter, _ db: Database) throws -> [Int64: LaneKey] {
        try all(db).filter { _, key in
            (filter.kind == nil || filter.kind == key.kind) && (filter.queue == nil || filter.queue == key.queue)
        }
    }

    /// How far a lane has been claimed: its newest lease is its cursor.
    static func cursor(_ lane: Int64, _ db: Database) throws -> Int64 {
        try db.first("select max(upto) from martlet_lease where lane = ?", .int(lane)) { $0.int(0) } ?? 0
    }
}

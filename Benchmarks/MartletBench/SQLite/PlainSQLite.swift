import Foundation
import GRDBSQLite

/// SQLite as C programs use it: prepared statements on one connection, set up as ours is.
final class PlainSQLite {
    private let db: OpaquePointer

    init(_ path: String) throws {
        var db: OpaquePointer?
        let code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil)
        guard let db, code == SQLITE_OK else { throw Failure("\(path) cannot be opened: \(code)") }
        self.db = db
        // Checkpoints as often as ours, by SQLite itself.
        try run(
            """
            pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000; pragma cache_size = -16000;
            pragma temp_store = memory
            """)
    }

    deinit { sqlite3_close_v2(db) }

    func run(_ sql: String) throws {
        guard sqlite3_exec(db, sql, nil, nil, nil) == SQLITE_OK else { throw Failure(message) }
    }

    fileprivate var message: String { String(cString: sqlite3_errmsg(db)) }

    func prepare(_ sql: String) throws -> Statement { try Statement(self, sql) }

    func number(_ sql: String) throws -> Int64 {
        let statement = try prepare(sql)
        guard try statement.step() else { throw Failure("\(sql) gave nothing") }
        return statement.int(0)
    }

    final class Statement {
        private let owner: PlainSQLite
        private let statement: OpaquePointer

        fileprivate init(_ owner: PlainSQLite, _ sql: String) throws {
            var statement: OpaquePointer?
            guard sqlite3_prepare_v3(owner.db, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil) == SQLITE_OK,
                let statement
            else { throw Failure(owner.message) }
            self.owner = owner
            self.statement = statement
        }

        deinit { sqlite3_finalize(statement) }

        func bind(_ place: Int32, _ value: Int64) { sqlite3_bind_int64(statement, place, value) }

        /// Not copied: must stay until the statement is bound anew, or not used again.
        func bind(_ place: Int32, text: UnsafeRawBufferPointer) {
            let bytes = text.baseAddress?.assumingMemoryBound(to: CChar.self)
            sqlite3_bind_text(statement, place, bytes, Int32(text.count), nil)
        }

        /// Copied.
        func bind(_ place: Int32, blob: [UInt8]) {
            let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            sqlite3_bind_blob(statement, place, blob, Int32(blob.count), copied)
        }

        func step() throws -> Bool {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: return true
            case SQLITE_DONE: return false
            case _: throw Failure(owner.message)
            }
        }

        func int(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

        /// Until the next step.
        func text(_ column: Int32) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(
                start: sqlite3_column_text(statement, column), count: Int(sqlite3_column_bytes(statement, column)))
        }

        func reset() { sqlite3_reset(statement) }

        /// For one that returns no rows.
        func run(_ values: Int64...) throws {
            for (place, value) in values.enumerated() { bind(Int32(place + 1), value) }
            while try step() {}
            reset()
        }
    }
}

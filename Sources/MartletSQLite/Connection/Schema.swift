import GRDB
import MartletCore
import MartletMigrations
import MartletStore

/// Brings the schema up to date, each step in a transaction of its own.
enum Schema {
    static let migrations: [Migration] = Migrations.sqlite.map {
        Migration(version: $0.version, name: $0.name, sql: String(decoding: $0.sql, as: UTF8.self))
    }

    static func status(_ db: Database) throws -> MigrationStatus {
        let known = try db.first("select 1 from sqlite_master where type = 'table' and name = 'martlet_schema'") { _ in true
        }
        guard known == true else { return MigrationStatus(current: 0, known: migrations) }
        let current = try db.first("select max(version) from martlet_schema") { $0.count(0) }
        return MigrationStatus(current: current ?? 0, known: migrations)
    }

    /// Call while the write lock is held.
    static func migrate(_ db: Database, now: Timestamp) throws {
        for migration in migrations.dropFirst(try status(db).current) {
            try db.inTransaction(.immediate) {
                try db.execute(sql: migration.sql)
                try db.run(
                    "insert into martlet_schema (version, name, applied_at) values (?, ?, ?)",
                    .int(migration.version), .text(migration.name), .int(now.microseconds))
                return .commit
            }
        }
    }

    static func check(_ status: MigrationStatus, files: DatabaseFiles) throws(StoreError) {
        if status.isNewer {
            throw StoreError(
                .incompatible,
                "\(files.shown) has schema version \(status.current), made by a newer martlet; this one knows \(status.latest): "
                    + "install the newer version")
        }
        if !status.pending.isEmpty {
            throw StoreError(
                .incompatible,
                "\(files.shown) has schema version \(status.current) of \(status.latest): run martlet migrate up")
        }
    }
}

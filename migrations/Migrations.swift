package enum Migrations {
    package static let sqlite: [(version: Int, name: String, sql: [UInt8])] = [
        (1, "queue", PackageResources._001_queue_sqlite_sql)
    ]
}

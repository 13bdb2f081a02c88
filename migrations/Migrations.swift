package enum Migrations {
    package static let sqlite: [(version: Int, name: String, sql: [UInt8])] = [
        (1, "queue", PackageResources._001_queue_sqlite_sql)
    ]

    /// The files of a step, in order.
    package static let postgres: [(version: Int, name: String, sql: [[UInt8]])] = [
        (
            1, "queue",
            [
                PackageResources._001_queue_postgres_sql, PackageResources._001_queue_postgres_work_sql,
                PackageResources._001_queue_postgres_upkeep_sql, PackageResources._001_queue_postgres_people_sql,
                PackageResources._001_queue_postgres_roles_sql,
            ]
        )
    ]
}

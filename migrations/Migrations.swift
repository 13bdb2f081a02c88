package enum Migrations {
    package static let sqlite: [(version: Int, name: String, sql: [UInt8])] = [
        (1, "queue", PackageResources._001_queue_sqlite_sql)
    ]

    /// The files of a step, in order. A step serves programs that know the steps up to that number: as many as one version back.
    package static let postgres: [(version: Int, name: String, serves: Int, sql: [[UInt8]])] = [
        (
            1, "queue", 1,
            [
                PackageResources._001_queue_postgres_sql, PackageResources._001_queue_postgres_work_sql,
                PackageResources._001_queue_postgres_upkeep_sql, PackageResources._001_queue_postgres_people_sql,
                PackageResources._001_queue_postgres_checks_sql, PackageResources._001_queue_postgres_rebase_sql,
                PackageResources._001_queue_postgres_roles_sql,
            ]
        )
    ]
}

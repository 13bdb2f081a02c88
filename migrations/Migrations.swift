package enum Migrations {
    package static let sqlite: [(version: Int, name: String, sql: [UInt8])] = [
        (1, "queue", PackageResources._001_queue_sqlite_sql)
    ]

    /// The files of a step, in order. A step serves programs that know the steps up to that number: as many as one version back.
    package static let postgres: [(version: Int, name: String, serves: Int, sql: [[UInt8]])] = [
        (
            1, "queue", 1,
            [
                PackageResources._001_queue_postgres_sql,
                PackageResources._001_queue_postgres_common_sql,
                PackageResources._001_queue_postgres_tally_sql,
                PackageResources._001_queue_postgres_waiting_sql,
                PackageResources._001_queue_postgres_checks_sql,
                PackageResources._001_queue_postgres_enqueue_sql,
                PackageResources._001_queue_postgres_claim_sql,
                PackageResources._001_queue_postgres_settle_sql,
                PackageResources._001_queue_postgres_workers_sql,
                PackageResources._001_queue_postgres_promote_sql,
                PackageResources._001_queue_postgres_retain_sql,
                PackageResources._001_queue_postgres_find_sql,
                PackageResources._001_queue_postgres_history_sql,
                PackageResources._001_queue_postgres_list_sql,
                PackageResources._001_queue_postgres_repair_sql,
                PackageResources._001_queue_postgres_counts_sql,
                PackageResources._001_queue_postgres_rebase_sql,
                PackageResources._001_queue_postgres_bench_sql,
                PackageResources._001_queue_postgres_roles_sql,
            ]
        )
    ]
}

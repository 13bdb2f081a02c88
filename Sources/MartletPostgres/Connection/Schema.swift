import MartletMigrations
import MartletPQ
import MartletStore

/// Brings the schema up to date, each step in a transaction of its own under a lock, so that two at once are safe.
enum Schema {
    static let migrations: [Migration] = Migrations.postgres.map {
        Migration(
            version: $0.version, name: $0.name, serves: $0.serves,
            sql: $0.sql.map { String(decoding: $0, as: UTF8.self) }.joined())
    }

    static var latest: Int { migrations.last?.version ?? 0 }

    /// Raised by a step that somebody else has carried out meanwhile.
    private static let alreadyDone = "MT001"
    private static let noTable = "42P01"
    /// Raised where a queue restored from a dump is worked with.
    static let restored = "MT002"
    /// Transactions see one snapshot from their beginning to their end.
    static let isolated = "MT003"

    /// Asked by every program that starts, so in one round trip, and without aggregates, which take a new session longer to plan
    /// than these few rows to read.
    static func status(_ database: Database, within: Duration? = nil) async throws(StoreError) -> MigrationStatus {
        let rows = try await database.run(
            .once("select version, serves from \(database.place.quoted).migration"), unless: noTable, within: within)
        guard let rows else { return MigrationStatus(current: 0, known: migrations) }
        let steps = (0..<rows.count).map { (version: Int(rows.int($0, 0)), serves: Int(rows.int($0, 1))) }
        return MigrationStatus(
            current: steps.map(\.version).max() ?? 0, serves: steps.map(\.serves).max() ?? 0, known: migrations)
    }

    static func migrate(_ database: Database) async throws(StoreError) {
        for migration in migrations.dropFirst(try await status(database).current) {
            try await database.script(script(migration, database.place), unless: alreadyDone, within: .seconds(600))
        }
    }

    static func check(_ status: MigrationStatus, _ place: Place) throws(StoreError) {
        if status.isNewer {
            throw StoreError(
                .incompatible,
                "\(place.shown) has schema version \(status.current), made by a newer martlet; this one knows \(status.latest): "
                    + "install the newer version")
        }
        if !status.pending.isEmpty {
            throw StoreError(
                .incompatible,
                "\(place.shown) has version \(status.current) of \(status.latest) in schema \(place.schema): "
                    + "run martlet migrate up")
        }
    }

    /// All that `migrate` would run, as a person can run it with psql.
    static func plan(_ pending: ArraySlice<Migration>, _ place: Place) -> String {
        pending.map { "begin;\n\(script($0, place))commit;\n" }.joined(separator: "\n")
    }

    private static func script(_ migration: Migration, _ place: Place) -> String {
        let literal = "'" + place.quoted.replacing("'", with: "''") + ".migration'"
        return """
            -- Step \(migration.version): \(migration.name)
            select pg_advisory_xact_lock(hashtextextended('martlet migrate ' || \(literal), 0));
            do $guard$
            declare v_done boolean := false;
            begin
              if to_regclass(\(literal)) is not null then
                execute 'select exists (select 1 from ' || \(literal) || ' where version >= \(migration.version))' into v_done;
              end if;
              if v_done then raise 'step \(migration.version) has been carried out already' using errcode = '\(alreadyDone)'; end if;
            end $guard$;
            create schema if not exists \(place.quoted);
            set local search_path = \(place.quoted), pg_temp;
            \(migration.sql)
            insert into migration (version, name, serves) values (\(migration.version), '\(migration.name)', \(migration.serves));

            """
    }
}

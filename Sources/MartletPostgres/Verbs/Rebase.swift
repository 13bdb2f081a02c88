import MartletPQ
import MartletStore

extension PostgresStore {
    /// It writes the whole log anew when the cluster's transaction ids are lower than the dump's.
    private static let patience: Duration = .seconds(6 * 3_600)

    /// What ``rebase(_:)`` would do; changes nothing.
    package static func rebasePreview(_ options: PostgresOptions) async throws(StoreError) -> RebaseReply {
        try await with(options) { database throws(StoreError) in
            try Schema.check(try await Schema.status(database, within: options.openWithin), database.place)
            return try await preview(database)
        }
    }

    package static func rebase(_ options: PostgresOptions) async throws(StoreError) -> RebaseReply {
        try await with(options) { database throws(StoreError) in
            let schema = database.place.quoted
            guard try await preview(database).needed else { return RebaseReply(needed: false, available: 0, running: 0) }
            // Committed before the other begins, whose snapshot is to lie behind it.
            _ = try await database.run(.once("select \(schema).make_room()"), within: patience)
            let rows = try await database.run(
                .once("select available, running from \(schema).rebase()"), within: patience)
            return RebaseReply(needed: true, available: Int(rows.int(0, 0)), running: Int(rows.int(0, 1)))
        }
    }

    private static func preview(_ database: Database) async throws(StoreError) -> RebaseReply {
        let rows = try await database.run(
            .once("select needed, available, running from \(database.place.quoted).rebase_preview()"), within: patience)
        guard rows.bool(0, 0) else { return RebaseReply(needed: false, available: 0, running: 0) }
        return RebaseReply(needed: true, available: Int(rows.int(0, 1)), running: Int(rows.int(0, 2)))
    }
}

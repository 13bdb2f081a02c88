/// One step of the schema.
package struct Migration: Sendable {
    /// From 1, without gaps.
    package let version: Int
    package let name: String
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }
}

/// Where a database stands between the steps this program knows.
package struct MigrationStatus: Sendable, Equatable {
    /// 0: empty.
    package let current: Int
    package let latest: Int
    package let pending: [String]

    package init(current: Int, known: [Migration]) {
        self.current = current
        self.latest = known.last?.version ?? 0
        self.pending = known.filter { $0.version > current }.map { "\($0.version) \($0.name)" }
    }

    package var isNewer: Bool { current > latest }
}

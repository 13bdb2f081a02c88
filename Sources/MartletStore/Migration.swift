/// One step of the schema.
package struct Migration: Sendable {
    /// From 1, without gaps.
    package let version: Int
    package let name: String
    /// The steps that a program must know to work with a database that has this one; fewer where it only adds something.
    package let serves: Int
    private let makeSQL: @Sendable () -> String

    /// Put together when it is wanted: programs that only look at versions start without it.
    package var sql: String { makeSQL() }

    /// - Parameter serves: nil: this step must be known.
    package init(version: Int, name: String, serves: Int? = nil, sql: @autoclosure @escaping @Sendable () -> String) {
        self.version = version
        self.name = name
        self.serves = serves ?? version
        makeSQL = sql
    }
}

/// Where a database stands between the steps this program knows.
package struct MigrationStatus: Sendable, Equatable {
    /// 0: empty.
    package let current: Int
    package let latest: Int
    package let pending: [String]
    private let serves: Int

    /// - Parameter serves: the steps that a program must know, as the database says; nil: all it has.
    package init(current: Int, serves: Int? = nil, known: [Migration]) {
        self.current = current
        self.serves = serves ?? current
        self.latest = known.last?.version ?? 0
        self.pending = known.filter { $0.version > current }.map { "\($0.version) \($0.name)" }
    }

    /// It has steps without which this program does not understand it.
    package var isNewer: Bool { serves > latest }
    /// It has steps that this program does not know, and works without.
    package var isAhead: Bool { current > latest && !isNewer }
}

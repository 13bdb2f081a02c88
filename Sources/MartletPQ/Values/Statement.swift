import Synchronization

/// One SQL statement, kept in a `static let` and prepared by each connection the first time it is used there.
package final class Statement: Sendable {
    package let sql: String
    /// Kept by connections under this number; nil for one that is used once and not kept.
    let number: Int?

    private static let numbers = Atomic<Int>(0)

    package init(_ sql: String) {
        self.sql = sql
        number = Self.numbers.wrappingAdd(1, ordering: .relaxed).newValue
    }

    private init(once sql: String) {
        self.sql = sql
        number = nil
    }

    /// For SQL that is put together at run time: nothing of it stays behind on the connection.
    package static func once(_ sql: String) -> Statement { Statement(once: sql) }
}

/// A statement with its parameters, in the form that libpq takes them.
package struct Step: Sendable {
    let statement: Statement
    let types: [UInt32]
    /// All parameters, one after the other. Never empty, so that a value of no bytes still has an address.
    let bytes: [UInt8]
    /// Where each begins; -1 is NULL.
    let offsets: [Int]
    let lengths: [Int32]

    /// The protocol counts parameters in 16 bits.
    static let maxParameters = 65_535

    package init(_ statement: Statement, _ parameters: [Value] = []) {
        precondition(parameters.count <= Self.maxParameters, "too many parameters; pass an array")
        self.statement = statement
        types = parameters.map(\.type.oid)
        lengths = parameters.map { Int32($0.bytes?.count ?? 0) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(lengths.reduce(1) { $0 + Int($1) })
        offsets = parameters.map { parameter in
            guard let value = parameter.bytes else { return -1 }
            defer { bytes.append(contentsOf: value) }
            return bytes.count
        }
        bytes.append(0)
        self.bytes = bytes
    }

    var preparedKey: PreparedKey? { statement.number.map { PreparedKey(statement: $0, types: types) } }
}

/// The same text with parameters of other types is another prepared statement.
struct PreparedKey: Hashable {
    let statement: Int
    let types: [UInt32]
}

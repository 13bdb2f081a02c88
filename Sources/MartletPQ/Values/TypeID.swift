/// The object identifiers of the built-in types that we send and read; they are the same in every PostgreSQL.
package struct TypeID: Hashable, Sendable {
    package let oid: UInt32

    package init(oid: UInt32) { self.oid = oid }

    /// The server decides from the statement.
    package static let inferred = TypeID(oid: 0)
    package static let bool = TypeID(oid: 16)
    package static let bytea = TypeID(oid: 17)
    package static let int8 = TypeID(oid: 20)
    package static let int2 = TypeID(oid: 21)
    package static let int4 = TypeID(oid: 23)
    package static let text = TypeID(oid: 25)
    package static let float8 = TypeID(oid: 701)
    package static let timestamptz = TypeID(oid: 1184)
    package static let jsonb = TypeID(oid: 3802)
    package static let xid8 = TypeID(oid: 5069)

    /// The array type of an element type.
    var array: TypeID {
        switch self {
        case .bool: TypeID(oid: 1000)
        case .bytea: TypeID(oid: 1001)
        case .int8: TypeID(oid: 1016)
        case .int2: TypeID(oid: 1005)
        case .int4: TypeID(oid: 1007)
        case .text: TypeID(oid: 1009)
        case .float8: TypeID(oid: 1022)
        case .timestamptz: TypeID(oid: 1185)
        case .jsonb: TypeID(oid: 3807)
        case .xid8: TypeID(oid: 271)
        default: preconditionFailure("no array type is known for type \(oid)")
        }
    }
}

/// An array of args, read from its beginning to its end.
struct ArgsArray: UnkeyedDecodingContainer {
    private let args: Args
    private let node: Int
    private var next: Int
    private(set) var currentIndex = 0

    init(_ args: Args, node: Int) {
        self.args = args
        self.node = node
        next = node + 1
    }

    var codingPath: [any CodingKey] { args.path(of: node) }
    var count: Int? { Int(args.nodes[node].count) }
    var isAtEnd: Bool { currentIndex == Int(args.nodes[node].count) }

    /// Only what could be read is left behind.
    private mutating func read<T>(_ body: (Args, Int) throws -> T) throws -> T {
        guard !isAtEnd else { throw args.doubt() }
        let value = try body(args, next)
        next = Int(args.nodes[next].next)
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd else { throw args.doubt() }
        guard args.isNull(at: next) else { return false }
        return try read { _, _ in true }
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try read { try $0.bool(at: $1) } }
    mutating func decode(_ type: String.Type) throws -> String { try read { try $0.string(at: $1) } }
    mutating func decode(_ type: Double.Type) throws -> Double { try read { try $0.double(at: $1) } }
    mutating func decode(_ type: Float.Type) throws -> Float { throw args.doubt() }
    mutating func decode(_ type: Int.Type) throws -> Int { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: Int128.Type) throws -> Int128 { throw args.doubt() }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try read { try $0.integer(at: $1) } }
    mutating func decode(_ type: UInt128.Type) throws -> UInt128 { throw args.doubt() }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try read { try $0.value(type, at: $1) } }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try read { KeyedDecodingContainer(ArgsObject<Nested>(args: $0, node: try $0.expect(.object, at: $1))) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try read { ArgsArray($0, node: try $0.expect(.array, at: $1)) }
    }

    mutating func superDecoder() throws -> any Decoder { throw args.doubt() }
}

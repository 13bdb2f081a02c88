/// An object of args.
struct ArgsObject<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let args: Args
    let node: Int

    var codingPath: [any CodingKey] { args.path(of: node) }
    var allKeys: [Key] { args.keys(Key.self, of: node) }

    func contains(_ key: Key) -> Bool { args.find(key, in: node) != nil }

    private func member(_ key: Key) throws -> Int {
        guard let member = args.find(key, in: node) else { throw args.doubt() }
        return member
    }

    func decodeNil(forKey key: Key) throws -> Bool { args.isNull(at: try member(key)) }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try args.bool(at: member(key)) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try args.string(at: member(key)) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try args.double(at: member(key)) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { throw args.doubt() }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try args.integer(at: member(key)) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try args.integer(at: member(key)) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try args.integer(at: member(key)) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try args.integer(at: member(key)) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try args.integer(at: member(key)) }
    func decode(_ type: Int128.Type, forKey key: Key) throws -> Int128 { throw args.doubt() }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try args.integer(at: member(key)) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try args.integer(at: member(key)) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try args.integer(at: member(key)) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try args.integer(at: member(key)) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try args.integer(at: member(key)) }
    func decode(_ type: UInt128.Type, forKey key: Key) throws -> UInt128 { throw args.doubt() }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try args.value(type, at: member(key)) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        KeyedDecodingContainer(ArgsObject<Nested>(args: args, node: try args.expect(.object, at: member(key))))
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        ArgsArray(args, node: try args.expect(.array, at: member(key)))
    }

    func superDecoder() throws -> any Decoder { throw args.doubt() }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw args.doubt() }
}

/// Reads args as `JSONDecoder` does, where that is simple, in a fraction of the time: reading its args was more than half of the
/// work of a small job.
///
/// It need not be as good as `JSONDecoder`, only as right. Whatever it does not understand it leaves to `JSONDecoder`, which reads
/// the whole again: a `\u` escape, a name that comes twice, a number with many digits, `Data`, `URL` and `Decimal`, and everything
/// that does not fit. So it has no errors of its own; and since one failure is enough, none that a type caught on its way can
/// change what comes out.
struct ArgsDecoder: Decoder {
    let args: Args
    /// The value that is read.
    let node: Int

    /// - Returns: nil: `JSONDecoder` is to be asked.
    static func decode<T: Decodable>(_ type: T.Type, from text: [UInt8]) -> T? {
        guard let scan = ArgsScan(text.span) else { return nil }
        let args = Args(text, scan.nodes)
        do {
            let value = try args.value(type, at: 0)
            return args.isDoubted ? nil : value
        } catch {
            // Of the type, or ours; it fails again where it is told in full.
            return nil
        }
    }

    var codingPath: [any CodingKey] { args.path(of: node) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(ArgsObject(args: args, node: try args.expect(.object, at: node)))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        ArgsArray(args, node: try args.expect(.array, at: node))
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { ArgsValue(args: args, node: node) }
}

/// A value by itself.
struct ArgsValue: SingleValueDecodingContainer {
    let args: Args
    let node: Int

    var codingPath: [any CodingKey] { args.path(of: node) }

    func decodeNil() -> Bool { args.isNull(at: node) }
    func decode(_ type: Bool.Type) throws -> Bool { try args.bool(at: node) }
    func decode(_ type: String.Type) throws -> String { try args.string(at: node) }
    func decode(_ type: Double.Type) throws -> Double { try args.double(at: node) }
    func decode(_ type: Float.Type) throws -> Float { throw args.doubt() }
    func decode(_ type: Int.Type) throws -> Int { try args.integer(at: node) }
    func decode(_ type: Int8.Type) throws -> Int8 { try args.integer(at: node) }
    func decode(_ type: Int16.Type) throws -> Int16 { try args.integer(at: node) }
    func decode(_ type: Int32.Type) throws -> Int32 { try args.integer(at: node) }
    func decode(_ type: Int64.Type) throws -> Int64 { try args.integer(at: node) }
    func decode(_ type: Int128.Type) throws -> Int128 { throw args.doubt() }
    func decode(_ type: UInt.Type) throws -> UInt { try args.integer(at: node) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try args.integer(at: node) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try args.integer(at: node) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try args.integer(at: node) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try args.integer(at: node) }
    func decode(_ type: UInt128.Type) throws -> UInt128 { throw args.doubt() }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try args.value(type, at: node) }
}

/// One parameter, already in the server's binary form, so that encoding is done by whoever asks and not by the I/O thread.
package struct Value: Sendable {
    let type: TypeID
    /// Nil is NULL.
    let bytes: [UInt8]?

    init(_ type: TypeID, _ bytes: [UInt8]?) {
        self.type = type
        self.bytes = bytes
    }

    /// NULL of a type that the statement makes clear.
    package static let null = Value(.inferred, nil)

    package static func null(_ type: TypeID) -> Value { Value(type, nil) }

    package static func bool(_ value: Bool?) -> Value { Value(.bool, value.map { [$0 ? 1 : 0] }) }
    package static func int2(_ value: Int16?) -> Value { Value(.int2, value.map(bigEndian)) }
    package static func int4(_ value: Int32?) -> Value { Value(.int4, value.map(bigEndian)) }
    package static func int8(_ value: Int64?) -> Value { Value(.int8, value.map(bigEndian)) }
    package static func xid8(_ value: UInt64?) -> Value { Value(.xid8, value.map(bigEndian)) }
    package static func float8(_ value: Double?) -> Value { Value(.float8, value.map { bigEndian($0.bitPattern) }) }

    /// - Parameter microsecondsSince1970: in UTC.
    package static func timestamptz(_ microsecondsSince1970: Int64?) -> Value {
        Value(.timestamptz, microsecondsSince1970.map { bigEndian($0 - PostgresEpoch.microseconds) })
    }

    package static func text(_ value: String?) -> Value { Value(.text, value.map { Array($0.utf8) }) }
    package static func utf8(_ value: [UInt8]?) -> Value { Value(.text, value) }
    package static func bytea(_ value: [UInt8]?) -> Value { Value(.bytea, value) }

    /// - Parameter value: JSON as UTF-8.
    package static func jsonb(_ value: [UInt8]?) -> Value { Value(.jsonb, value.map { [1] + $0 }) }
    package static func jsonb(_ value: String?) -> Value { .jsonb(value.map { Array($0.utf8) }) }

    package static func array(_ values: ArrayBuilder) -> Value { Value(values.element.array, values.encoded) }

    package static func int8s(_ values: some Sequence<Int64>) -> Value {
        .array(.init(.int8, values) { $0.int8($1) })
    }

    package static func int4s(_ values: some Sequence<Int32>) -> Value {
        .array(.init(.int4, values) { $0.int4($1) })
    }

    package static func int2s(_ values: some Sequence<Int16>) -> Value {
        .array(.init(.int2, values) { $0.int2($1) })
    }

    package static func texts(_ values: some Sequence<String?>) -> Value {
        .array(.init(.text, values) { buffer, text in if let text { buffer.text(text) } else { buffer.null() } })
    }

    package static func texts(_ values: some Sequence<String>) -> Value {
        .array(.init(.text, values) { $0.text($1) })
    }

    package static func byteas(_ values: some Sequence<[UInt8]?>) -> Value {
        .array(.init(.bytea, values) { buffer, bytes in if let bytes { buffer.bytea(bytes) } else { buffer.null() } })
    }

    package static func jsonbs(_ values: some Sequence<[UInt8]?>) -> Value {
        .array(.init(.jsonb, values) { buffer, json in if let json { buffer.jsonb(json) } else { buffer.null() } })
    }

    package static func timestamptzs(_ values: some Sequence<Int64?>) -> Value {
        .array(.init(.timestamptz, values) { buffer, at in if let at { buffer.timestamptz(at) } else { buffer.null() } })
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

/// A one-dimensional array, encoded while its elements come.
package struct ArrayBuilder: Sendable {
    let element: TypeID
    private var buffer = FieldBuffer()
    private var count: Int32 = 0

    /// dimensions, has-nulls flag, element type, length, lower bound
    private static let lengthOffset = 12

    package init(_ element: TypeID) {
        self.element = element
        buffer.word(1)
        // The flag is informative; the server looks at the elements.
        buffer.word(0)
        buffer.raw(element.oid)
        buffer.word(0)
        buffer.word(1)
    }

    package init<Elements: Sequence>(
        _ element: TypeID, _ values: Elements, _ add: (inout FieldBuffer, Elements.Element) -> Void
    ) {
        self.init(element)
        for value in values { append { add(&$0, value) } }
    }

    /// - Parameter add: must write exactly one field.
    package mutating func append(_ add: (inout FieldBuffer) -> Void) {
        add(&buffer)
        count += 1
    }

    var encoded: [UInt8] {
        var encoded = buffer
        encoded.overwrite(at: Self.lengthOffset, count)
        return encoded.bytes
    }
}

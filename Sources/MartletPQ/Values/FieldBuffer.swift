/// Fields as the wire has them: a length, then the value in binary. The same form serves array elements and COPY rows.
package struct FieldBuffer: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func null() { word(-1) }

    package mutating func bool(_ value: Bool) {
        word(1)
        bytes.append(value ? 1 : 0)
    }

    package mutating func int2(_ value: Int16) { integer(value) }
    package mutating func int4(_ value: Int32) { integer(value) }
    package mutating func int8(_ value: Int64) { integer(value) }
    package mutating func xid8(_ value: UInt64) { integer(Int64(bitPattern: value)) }
    package mutating func float8(_ value: Double) { integer(Int64(bitPattern: value.bitPattern)) }

    /// - Parameter microsecondsSince1970: in UTC.
    package mutating func timestamptz(_ microsecondsSince1970: Int64) {
        integer(microsecondsSince1970 - PostgresEpoch.microseconds)
    }

    package mutating func text(_ value: String) { counted(value.utf8) }
    package mutating func utf8(_ value: [UInt8]) { counted(value) }
    package mutating func bytea(_ value: [UInt8]) { counted(value) }

    /// - Parameter value: JSON as UTF-8.
    package mutating func jsonb(_ value: some Collection<UInt8>) {
        word(Int32(value.count) + 1)
        // The version of the binary format of jsonb.
        bytes.append(1)
        bytes.append(contentsOf: value)
    }

    private mutating func counted(_ value: some Collection<UInt8>) {
        word(Int32(value.count))
        bytes.append(contentsOf: value)
    }

    private mutating func integer<T: FixedWidthInteger>(_ value: T) {
        word(Int32(MemoryLayout<T>.size))
        raw(value)
    }

    mutating func word(_ value: Int32) { raw(value) }

    mutating func raw<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func raw(bytes more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

    mutating func overwrite(at offset: Int, _ value: Int32) {
        withUnsafeBytes(of: value.bigEndian) { source in
            for (index, byte) in source.enumerated() { bytes[offset + index] = byte }
        }
    }

    mutating func take() -> [UInt8] {
        let taken = bytes
        bytes = []
        bytes.reserveCapacity(taken.count)
        return taken
    }

    var count: Int { bytes.count }
}

/// PostgreSQL counts time from 2000-01-01 UTC.
enum PostgresEpoch {
    static let microseconds: Int64 = 946_684_800_000_000
}

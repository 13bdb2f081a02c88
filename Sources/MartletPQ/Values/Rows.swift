import CPostgres

/// What one statement answered. Values are read where libpq keeps them; nothing is copied until it is asked for.
///
/// A column read as a type that it does not have is a mistake of ours in the SQL, and stops the program.
package final class Rows: @unchecked Sendable {
    // Sendable: a PGresult never changes once it is complete, and reading it touches nothing else.
    private let result: OpaquePointer
    package let count: Int
    package let columns: Int

    /// Takes over the result.
    init(_ result: OpaquePointer) {
        self.result = result
        count = Int(pq.PQntuples(result))
        columns = Int(pq.PQnfields(result))
    }

    deinit { pq.PQclear(result) }

    package var isEmpty: Bool { count == 0 }

    /// How many rows a command touched; 0 for those that touch none.
    package var affected: Int { pq.PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0 }

    package func name(column: Int) -> String { pq.PQfname(result, Int32(column)).map { String(cString: $0) } ?? "" }

    package func isNull(_ row: Int, _ column: Int) -> Bool { pq.PQgetisnull(result, Int32(row), Int32(column)) == 1 }

    /// The value's bytes, for as long as the closure runs. Empty for NULL.
    package func withBytes<T, E: Error>(
        _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer) throws(E) -> T
    ) throws(E) -> T {
        precondition(row < count && column < columns, "no value at row \(row), column \(column)")
        let start = pq.PQgetvalue(result, Int32(row), Int32(column))
        let length = Int(pq.PQgetlength(result, Int32(row), Int32(column)))
        return try body(UnsafeRawBufferPointer(start: start, count: length))
    }

    // MARK: One value

    /// int2, int4 and int8.
    package func int(_ row: Int, _ column: Int) -> Int64 {
        withBytes(row, column) { bytes in
            switch bytes.count {
            case 8: bytes.bigEndian(Int64.self)
            case 4: Int64(bytes.bigEndian(Int32.self))
            case 2: Int64(bytes.bigEndian(Int16.self))
            default: mismatch(row, column, "an integer")
            }
        }
    }

    package func bool(_ row: Int, _ column: Int) -> Bool {
        withBytes(row, column) { bytes in
            guard bytes.count == 1 else { mismatch(row, column, "a boolean") }
            return bytes[0] != 0
        }
    }

    package func float8(_ row: Int, _ column: Int) -> Double {
        withBytes(row, column) { bytes in
            guard bytes.count == 8 else { mismatch(row, column, "a float8") }
            return Double(bitPattern: bytes.bigEndian(UInt64.self))
        }
    }

    package func xid8(_ row: Int, _ column: Int) -> UInt64 { UInt64(bitPattern: int(row, column)) }

    /// In microseconds since 1970, UTC. `infinity` and `-infinity` are the ends of the range.
    package func timestamptz(_ row: Int, _ column: Int) -> Int64 { sinceUnixEpoch(int(row, column)) }

    package func text(_ row: Int, _ column: Int) -> String {
        withBytes(row, column) { String(decoding: $0, as: UTF8.self) }
    }

    package func bytes(_ row: Int, _ column: Int) -> [UInt8] { withBytes(row, column) { Array($0) } }

    /// JSON as UTF-8, from json as well as jsonb.
    package func json(_ row: Int, _ column: Int) -> [UInt8] {
        withBytes(row, column) { Array($0.first == 1 ? $0[1...] : $0[...]) }
    }

    package func optionalInt(_ row: Int, _ column: Int) -> Int64? { isNull(row, column) ? nil : int(row, column) }
    package func optionalBool(_ row: Int, _ column: Int) -> Bool? { isNull(row, column) ? nil : bool(row, column) }
    package func optionalText(_ row: Int, _ column: Int) -> String? { isNull(row, column) ? nil : text(row, column) }
    package func optionalBytes(_ row: Int, _ column: Int) -> [UInt8]? { isNull(row, column) ? nil : bytes(row, column) }
    package func optionalJSON(_ row: Int, _ column: Int) -> [UInt8]? { isNull(row, column) ? nil : json(row, column) }

    package func optionalTimestamptz(_ row: Int, _ column: Int) -> Int64? {
        isNull(row, column) ? nil : timestamptz(row, column)
    }

    // MARK: Arrays

    /// Each element's bytes in order, nil for NULL.
    package func forEachElement<E: Error>(
        _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer?) throws(E) -> Void
    ) throws(E) {
        try withBytes(row, column) { (bytes) throws(E) in
            guard bytes.count >= 12, bytes.bigEndian(Int32.self) > 0 else { return }
            precondition(bytes.bigEndian(Int32.self) == 1, "column \(name(column: column)) has an array of arrays")
            var offset = 20
            for _ in 0..<bytes.bigEndian(Int32.self, at: 12) {
                let length = Int(bytes.bigEndian(Int32.self, at: offset))
                offset += 4
                guard length >= 0 else {
                    try body(nil)
                    continue
                }
                try body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
                offset += length
            }
        }
    }

    private func elements<T>(_ row: Int, _ column: Int, _ read: (UnsafeRawBufferPointer) -> T) -> [T?] {
        var elements: [T?] = []
        forEachElement(row, column) { elements.append($0.map(read)) }
        return elements
    }

    /// int8[] without NULLs.
    package func int8s(_ row: Int, _ column: Int) -> [Int64] {
        var values: [Int64] = []
        forEachElement(row, column) { bytes in
            guard let bytes, bytes.count == 8 else { mismatch(row, column, "int8[] without nulls") }
            values.append(bytes.bigEndian(Int64.self))
        }
        return values
    }

    package func optionalInt8s(_ row: Int, _ column: Int) -> [Int64?] {
        elements(row, column) { $0.bigEndian(Int64.self) }
    }

    package func texts(_ row: Int, _ column: Int) -> [String?] {
        elements(row, column) { String(decoding: $0, as: UTF8.self) }
    }

    package func byteas(_ row: Int, _ column: Int) -> [[UInt8]?] { elements(row, column) { Array($0) } }

    package func jsonbs(_ row: Int, _ column: Int) -> [[UInt8]?] { elements(row, column) { Array($0.dropFirst()) } }

    package func timestamptzs(_ row: Int, _ column: Int) -> [Int64?] {
        elements(row, column) { sinceUnixEpoch($0.bigEndian(Int64.self)) }
    }

    private func mismatch(_ row: Int, _ column: Int, _ wanted: String) -> Never {
        let found = isNull(row, column) ? "null" : "a value of type \(pq.PQftype(result, Int32(column)))"
        preconditionFailure("column \(name(column: column)) has \(found), not \(wanted)")
    }
}

private func sinceUnixEpoch(_ sincePostgresEpoch: Int64) -> Int64 {
    let (sum, overflow) = sincePostgresEpoch.addingReportingOverflow(PostgresEpoch.microseconds)
    return overflow || sincePostgresEpoch == .min ? sincePostgresEpoch : sum
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndian<T: FixedWidthInteger>(_ type: T.Type, at offset: Int = 0) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}

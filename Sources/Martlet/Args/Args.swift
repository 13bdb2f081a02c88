import Foundation

/// A text, its values, and whether all that was asked of it could be answered.
final class Args {
    private struct NotHere: Error {}

    let text: [UInt8]
    let nodes: [ArgsScan.Node]
    private(set) var isDoubted = false

    init(_ text: [UInt8], _ nodes: [ArgsScan.Node]) {
        self.text = text
        self.nodes = nodes
    }

    /// From now on, nothing that was read counts.
    func doubt() -> any Error {
        isDoubted = true
        return NotHere()
    }

    func expect(_ kind: ArgsScan.Kind, at node: Int) throws -> Int {
        guard nodes[node].kind == kind else { throw doubt() }
        return node
    }

    // MARK: Values

    func isNull(at node: Int) -> Bool { nodes[node].kind == .null }

    func bool(at node: Int) throws -> Bool {
        switch nodes[node].kind {
        case .yes: return true
        case .no: return false
        case .null, .number, .object, .array, .ascii, .text, .escaped: throw doubt()
        }
    }

    /// `1.0` is one, too, but not here.
    func integer<T: FixedWidthInteger>(at node: Int) throws -> T {
        let range = nodes[try expect(.number, at: node)].range
        let isNegative = text[range.lowerBound] == UInt8(ascii: "-")
        var value: T = 0
        for index in range.lowerBound + (isNegative ? 1 : 0)..<range.upperBound {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { throw doubt() }
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooMuch) =
                isNegative
                ? product.subtractingReportingOverflow(T(digit)) : product.addingReportingOverflow(T(digit))
            guard !overflows, !isTooMuch else { throw doubt() }
            value = sum
        }
        return value
    }

    /// Few digits, and a few of them behind a point: one exact number divided by another is the nearest there is.
    func double(at node: Int) throws -> Double {
        let range = nodes[try expect(.number, at: node)].range
        let isNegative = text[range.lowerBound] == UInt8(ascii: "-")
        var (digits, count, divisor, isBehindPoint) = (UInt64(0), 0, 1.0, false)
        for index in range.lowerBound + (isNegative ? 1 : 0)..<range.upperBound {
            if text[index] == UInt8(ascii: ".") {
                isBehindPoint = true
                continue
            }
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10, count < 15 else { throw doubt() }
            digits = digits * 10 + UInt64(digit)
            count += 1
            if isBehindPoint { divisor *= 10 }
        }
        let value = Double(digits) / divisor
        return isNegative ? -value : value
    }

    func string(at node: Int) throws -> String {
        let range = nodes[node].range
        switch nodes[node].kind {
        case .ascii:
            return String(decoding: text[range], as: UTF8.self)
        case .text:
            guard let string = String(validating: text[range], as: UTF8.self) else { throw doubt() }
            return string
        case .escaped:
            guard let string = String(validating: unescaped(range), as: UTF8.self) else { throw doubt() }
            return string
        case .null, .yes, .no, .number, .object, .array:
            throw doubt()
        }
    }

    private func unescaped(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            if text[index] == UInt8(ascii: "\\") {
                index += 1
                bytes.append(Self.letter(text[index]))
            } else {
                bytes.append(text[index])
            }
            index += 1
        }
        return bytes
    }

    private static func letter(_ escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }

    func value<T: Decodable>(_ type: T.Type, at node: Int) throws -> T {
        // Foundation has ways of its own with these.
        if type == Data.self || type == URL.self || type == Decimal.self { throw doubt() }
        if isNull(at: node), !(type is any ExpressibleByNilLiteral.Type) { throw doubt() }
        return try T(from: ArgsDecoder(args: self, node: node))
    }

    // MARK: Names

    /// The value that has a name in an object.
    func find(_ key: some CodingKey, in object: Int) -> Int? {
        let name = key.stringValue
        let wanted = name.utf8Span.span
        var node = object + 1
        for _ in 0..<nodes[object].count {
            let range = nodes[node].name
            if range.count == wanted.count, isEqual(wanted, at: range.lowerBound) { return node }
            node = Int(nodes[node].next)
        }
        // Names are ASCII here, and letters are that are equal to one and not the same.
        if !name.utf8.allSatisfy({ $0 < 0x80 }) { isDoubted = true }
        return nil
    }

    private func isEqual(_ wanted: borrowing Span<UInt8>, at start: Int) -> Bool {
        for index in 0..<wanted.count where text[start + index] != wanted[index] { return false }
        return true
    }

    func keys<Key: CodingKey>(_ type: Key.Type, of object: Int) -> [Key] {
        var keys: [Key] = []
        var node = object + 1
        for _ in 0..<nodes[object].count {
            if let key = Key(stringValue: name(of: node)) { keys.append(key) }
            node = Int(nodes[node].next)
        }
        return keys
    }

    private func name(of node: Int) -> String { String(decoding: text[nodes[node].name], as: UTF8.self) }

    /// Where a value stands, from the outside in.
    func path(of node: Int) -> [any CodingKey] {
        let parent = Int(nodes[node].parent)
        guard parent >= 0 else { return [] }
        guard nodes[parent].kind == .array else { return path(of: parent) + [Key(stringValue: name(of: node))] }
        var (index, sibling) = (0, parent + 1)
        while sibling < node {
            index += 1
            sibling = Int(nodes[sibling].next)
        }
        return path(of: parent) + [Key(index: index)]
    }

    private struct Key: CodingKey {
        let stringValue: String
        let intValue: Int?

        init(stringValue: String) {
            self.stringValue = stringValue
            intValue = nil
        }

        init(index: Int) {
            stringValue = "Index \(index)"
            intValue = index
        }

        init?(intValue: Int) { self.init(index: intValue) }
    }
}

import MartletCore

/// The values of a JSON text in the order they stand in it, each with its place, its parent, and where the one after it is.
///
/// One pass, one array. What is rare is not understood here at all: then there is no table, see ``ArgsDecoder``.
struct ArgsScan {
    enum Kind: UInt8 {
        case null, yes, no, number, object, array
        /// Strings: of ASCII alone, of more, and with escapes.
        case ascii, text, escaped
    }

    struct Node {
        let kind: Kind
        /// Of a string without its quotes.
        let start: Int32
        var end: Int32
        /// The first value behind it and all that is in it.
        var next: Int32
        /// Its object or array; -1: it is the whole.
        let parent: Int32
        /// Its name in its object, without quotes; empty in an array.
        let nameStart: Int32
        let nameEnd: Int32
        /// How many values an object or array has.
        var count: Int32 = 0

        init(_ kind: Kind, _ range: Range<Int>, next: Int, _ place: Place) {
            self.kind = kind
            start = Int32(truncatingIfNeeded: range.lowerBound)
            end = Int32(truncatingIfNeeded: range.upperBound)
            self.next = Int32(truncatingIfNeeded: next)
            parent = Int32(truncatingIfNeeded: place.parent)
            nameStart = Int32(truncatingIfNeeded: place.name.lowerBound)
            nameEnd = Int32(truncatingIfNeeded: place.name.upperBound)
        }

        var range: Range<Int> { Int(start)..<Int(end) }
        var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    }

    struct Place {
        var parent = -1
        var name = 0..<0
        var depth = 0
    }

    /// What is beyond is left to those who take more time: deep nesting, and objects in which looking for a name one by one
    /// would take long.
    private static let mostDepth = 32
    private static let mostNames = 48
    private static let mostBytes = 1 << 30

    private(set) var nodes: [Node] = []
    private var position = 0

    /// - Returns: nil when there is anything in it that is not understood here.
    init?(_ text: borrowing Span<UInt8>) {
        guard text.count < Self.mostBytes else { return nil }
        // One value for each 16 bytes is more than most have.
        nodes.reserveCapacity(text.count / 16 + 4)
        skipSpace(text)
        guard value(text, Place()) else { return nil }
        skipSpace(text)
        guard position == text.count else { return nil }
    }

    private mutating func value(_ text: borrowing Span<UInt8>, _ place: Place) -> Bool {
        guard position < text.count else { return false }
        switch text[position] {
        case UInt8(ascii: "\""):
            position += 1
            guard let (kind, range) = string(text) else { return false }
            nodes.append(Node(kind, range, next: nodes.count + 1, place))
            return true
        case UInt8(ascii: "{"): return object(text, place)
        case UInt8(ascii: "["): return array(text, place)
        case UInt8(ascii: "t"): return word("true", .yes, text, place)
        case UInt8(ascii: "f"): return word("false", .no, text, place)
        case UInt8(ascii: "n"): return word("null", .null, text, place)
        default: return number(text, place)
        }
    }

    // MARK: What has an inside

    private mutating func object(_ text: borrowing Span<UInt8>, _ place: Place) -> Bool {
        guard let open = open(.object, place) else { return false }
        var seen: UInt64 = 0
        if take(UInt8(ascii: "}"), text) { return close(open) }
        repeat {
            guard let name = name(text), isNew(name, in: open, &seen, text), take(UInt8(ascii: ":"), text),
                nodes[open].count < Self.mostNames
            else { return false }
            guard member(text, Place(parent: open, name: name, depth: place.depth + 1)) else { return false }
        } while take(UInt8(ascii: ","), text)
        return take(UInt8(ascii: "}"), text) && close(open)
    }

    private mutating func array(_ text: borrowing Span<UInt8>, _ place: Place) -> Bool {
        guard let open = open(.array, place) else { return false }
        if take(UInt8(ascii: "]"), text) { return close(open) }
        repeat {
            guard member(text, Place(parent: open, depth: place.depth + 1)) else { return false }
        } while take(UInt8(ascii: ","), text)
        return take(UInt8(ascii: "]"), text) && close(open)
    }

    private mutating func open(_ kind: Kind, _ place: Place) -> Int? {
        guard place.depth < Self.mostDepth else { return nil }
        nodes.append(Node(kind, position..<position, next: 0, place))
        position += 1
        return nodes.count - 1
    }

    private mutating func close(_ open: Int) -> Bool {
        nodes[open].end = Int32(truncatingIfNeeded: position)
        nodes[open].next = Int32(truncatingIfNeeded: nodes.count)
        return true
    }

    private mutating func member(_ text: borrowing Span<UInt8>, _ place: Place) -> Bool {
        nodes[place.parent].count += 1
        skipSpace(text)
        return value(text, place)
    }

    /// Plain ones only: of others two may be equal that are not written alike.
    private mutating func name(_ text: borrowing Span<UInt8>) -> Range<Int>? {
        guard take(UInt8(ascii: "\""), text), let (kind, range) = string(text), kind == .ascii else { return nil }
        return range
    }

    /// Which of two values of one name counts is for others to say.
    private func isNew(_ name: Range<Int>, in open: Int, _ seen: inout UInt64, _ text: borrowing Span<UInt8>) -> Bool {
        let ends = name.isEmpty ? 0 : Int(text[name.lowerBound]) &* 7 &+ Int(text[name.upperBound - 1])
        let bit: UInt64 = 1 << UInt64((name.count &* 31 &+ ends) & 63)
        defer { seen |= bit }
        guard seen & bit != 0 else { return true }
        var index = open + 1
        while index < nodes.count {
            let other = nodes[index].name
            if other.count == name.count,
                (0..<name.count).allSatisfy({ text[other.lowerBound + $0] == text[name.lowerBound + $0] })
            {
                return false
            }
            index = Int(nodes[index].next)
        }
        return true
    }

    // MARK: What has none

    /// Behind its first quote.
    private mutating func string(_ text: borrowing Span<UInt8>) -> (Kind, Range<Int>)? {
        let start = position
        var kind = Kind.ascii
        while position < text.count {
            let byte = text[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return (kind, start..<position - 1) }
            if byte >= 0x80 {
                if kind == .ascii { kind = .text }
            } else if byte == UInt8(ascii: "\\") {
                kind = .escaped
                guard position < text.count, Self.isPlainEscape(text[position]) else { return nil }
                position += 1
            } else if byte < 0x20 {
                return nil
            }
        }
        return nil
    }

    /// One letter stands for one.
    private static func isPlainEscape(_ letter: UInt8) -> Bool {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            true
        default: false
        }
    }

    private mutating func word(
        _ word: StaticString, _ kind: Kind, _ text: borrowing Span<UInt8>, _ place: Place
    ) -> Bool {
        let end = position + word.utf8CodeUnitCount
        guard end <= text.count else { return false }
        for offset in 0..<word.utf8CodeUnitCount where text[position + offset] != word.utf8Start[offset] { return false }
        nodes.append(Node(kind, position..<end, next: nodes.count + 1, place))
        position = end
        return true
    }

    private mutating func number(_ text: borrowing Span<UInt8>, _ place: Place) -> Bool {
        let start = position
        if position < text.count, text[position] == UInt8(ascii: "-") { position += 1 }
        let first = position
        guard digits(text) else { return false }
        if text[first] == UInt8(ascii: "0"), position > first + 1 { return false }
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position += 1
            guard digits(text) else { return false }
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < text.count, text[position] == UInt8(ascii: "-") || text[position] == UInt8(ascii: "+") {
                position += 1
            }
            guard digits(text) else { return false }
        }
        nodes.append(Node(.number, start..<position, next: nodes.count + 1, place))
        return true
    }

    private mutating func digits(_ text: borrowing Span<UInt8>) -> Bool {
        let start = position
        while position < text.count, text[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        return position > start
    }

    // MARK: Between

    private mutating func skipSpace(_ text: borrowing Span<UInt8>) {
        while position < text.count, text[position] <= 0x20 {
            switch text[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    /// Takes the byte, with white space before it and behind, if it is there.
    private mutating func take(_ byte: UInt8, _ text: borrowing Span<UInt8>) -> Bool {
        skipSpace(text)
        guard position < text.count, text[position] == byte else { return false }
        position += 1
        return true
    }
}

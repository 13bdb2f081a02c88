/// Reads JSON without building anything from it: says whether bytes are exactly one value, and where its parts lie.
///
/// Exactly RFC 8259, and stricter where the databases, or readers downstream, would lose or change something: no
/// repeated keys, no NUL in any spelling, no lone surrogates, no number beyond a Double's range, bounded depth.
/// One pass; recursion is bounded by the depth. Nothing is allocated per token, and a scanner that is used again
/// keeps its room, so an import allocates nothing per line.
///
/// The bytes are handed to every step as a `Span`, because a type cannot yet hold one: all reads are bounds-checked.
package struct JSONScanner {
    /// A member of the outermost object, as ranges of the text.
    package struct Member: Sendable, Equatable {
        package let key: String
        package let value: Range<Int>
    }

    /// What ``object(_:)`` found, in the order of the text.
    package private(set) var members: [Member] = []

    let maxDepth: Int
    var position = 0
    private var depth = 0
    private var collecting = false
    private var keys = JSONKeys()

    package init(maxDepth: Int = Limits.argsDepth) { self.maxDepth = maxDepth }

    /// - Returns: where the value lies, without the white space around it.
    package mutating func value(_ text: borrowing Span<UInt8>) throws(JSONFlaw) -> Range<Int> {
        try scan(text, collecting: false)
    }

    /// As ``value(_:)``, for a text that must be an object; its members are in ``members`` afterwards.
    package mutating func object(_ text: borrowing Span<UInt8>) throws(JSONFlaw) -> Range<Int> {
        try scan(text, collecting: true)
    }

    private mutating func scan(_ text: borrowing Span<UInt8>, collecting: Bool) throws(JSONFlaw) -> Range<Int> {
        position = 0
        depth = 0
        self.collecting = collecting
        members.removeAll(keepingCapacity: true)
        keys.removeAll()

        skipWhite(text)
        guard position < text.count else { throw JSONFlaw(.empty, at: 0) }
        let start = position
        if collecting, text[start] != UInt8(ascii: "{") { throw unexpected(text, expected: "an object, {…}") }
        try anyValue(text)
        let end = position
        skipWhite(text)
        guard position == text.count else { throw nulOr(.trailing, text) }
        return start..<end
    }

    private mutating func anyValue(_ text: borrowing Span<UInt8>) throws(JSONFlaw) {
        guard position < text.count else { throw JSONFlaw(.cutShort(expected: "a value"), at: position) }
        switch text[position] {
        case UInt8(ascii: "\""):
            position += 1
            _ = try string(text)
        case UInt8(ascii: "{"): try object(in: text)
        case UInt8(ascii: "["): try array(in: text)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number(text)
        case UInt8(ascii: "t"): try literal("true", text)
        case UInt8(ascii: "f"): try literal("false", text)
        case UInt8(ascii: "n"): try literal("null", text)
        case UInt8(ascii: "'"): throw unexpected(text, expected: "a value (strings are written with double quotes)")
        default: throw unexpected(text, expected: "a value")
        }
    }

    private mutating func object(in text: borrowing Span<UInt8>) throws(JSONFlaw) {
        try open()
        let outer = keys.count
        if try !closes(UInt8(ascii: "}"), text) {
            repeat {
                skipWhite(text)
                try expect(UInt8(ascii: "\""), "a key in double quotes", text)
                let start = position
                let escaped = try string(text)
                keys.append(start..<position - 1, escaped: escaped, text)
                if let offset = keys.repeated(from: outer, text) { throw repeatedKey(at: offset, text) }
                skipWhite(text)
                try expect(UInt8(ascii: ":"), "':' after the key", text)
                skipWhite(text)
                let valueStart = position
                try anyValue(text)
                if collecting, depth == 1 {
                    members.append(Member(key: keys.last(text), value: valueStart..<position))
                }
            } while try goesOn(UInt8(ascii: "}"), "',' or '}'", text)
            if let offset = keys.repeatedAmongMany(from: outer, text) { throw repeatedKey(at: offset, text) }
            keys.removeAll(from: outer)
        }
        depth -= 1
    }

    private mutating func array(in text: borrowing Span<UInt8>) throws(JSONFlaw) {
        try open()
        if try !closes(UInt8(ascii: "]"), text) {
            repeat {
                skipWhite(text)
                try anyValue(text)
            } while try goesOn(UInt8(ascii: "]"), "',' or ']'", text)
        }
        depth -= 1
    }

    private mutating func open() throws(JSONFlaw) {
        depth += 1
        guard depth <= maxDepth else { throw JSONFlaw(.tooDeep(limit: maxDepth), at: position) }
        position += 1
    }

    /// Whether an object or array ends before its first element.
    private mutating func closes(_ bracket: UInt8, _ text: borrowing Span<UInt8>) throws(JSONFlaw) -> Bool {
        skipWhite(text)
        guard position < text.count, text[position] == bracket else { return false }
        position += 1
        return true
    }

    /// Whether another element follows; otherwise the closing bracket must.
    private mutating func goesOn(
        _ bracket: UInt8, _ expected: StaticString, _ text: borrowing Span<UInt8>
    ) throws(JSONFlaw) -> Bool {
        skipWhite(text)
        if position < text.count, text[position] == UInt8(ascii: ",") {
            position += 1
            return true
        }
        try expect(bracket, expected, text)
        return false
    }

    private mutating func expect(
        _ byte: UInt8, _ expected: StaticString, _ text: borrowing Span<UInt8>
    ) throws(JSONFlaw) {
        guard position < text.count, text[position] == byte else {
            throw unexpected(text, expected: "\(expected)")
        }
        position += 1
    }

    private mutating func literal(_ word: String, _ text: borrowing Span<UInt8>) throws(JSONFlaw) {
        let start = position
        for byte in word.utf8 {
            guard position < text.count, text[position] == byte else {
                position = start
                throw unexpected(text, expected: "a value (did you mean \(word)?)")
            }
            position += 1
        }
    }

    private mutating func skipWhite(_ text: borrowing Span<UInt8>) {
        var i = position
        while i < text.count {
            switch text[i] {
            case 0x20, 0x09, 0x0A, 0x0D: i += 1
            default:
                position = i
                return
            }
        }
        position = i
    }

    private func repeatedKey(at offset: Int, _ text: borrowing Span<UInt8>) -> JSONFlaw {
        JSONFlaw(.repeatedKey(keys.name(at: offset, text)), at: offset)
    }
}

extension JSONScanner {
    /// The flaw at the current position: the text ends, holds a NUL, or something else than expected.
    func unexpected(_ text: borrowing Span<UInt8>, expected: String) -> JSONFlaw {
        guard position < text.count else { return JSONFlaw(.cutShort(expected: expected), at: position) }
        return nulOr(.unexpected(JSONFlaw.character(at: position, text), expected: expected), text)
    }

    private func nulOr(_ problem: JSONFlaw.Problem, _ text: borrowing Span<UInt8>) -> JSONFlaw {
        JSONFlaw(text[position] == 0 ? .nul : problem, at: position)
    }
}

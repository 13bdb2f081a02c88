import MartletCore

/// Splits CSV into records of fields, as RFC 4180 has it; lines end with LF or CRLF.
struct CSVTokenizer {
    private enum State {
        case fieldStart
        case plain
        case quoted
        /// Behind a quote in a quoted field: the field has ended, or the quote was the first of two.
        case quoteInQuoted
        /// Behind a CR outside quotes: LF must follow.
        case carriageReturn
    }

    private(set) var input: ByteInput
    /// Lines behind us.
    private(set) var line = 0
    /// Where the next record begins.
    var nextLine: Int { line + 1 }

    /// The fields of the record, one after the other, and where each ends.
    private var text: [UInt8] = []
    private var ends: [Int] = []
    private var state = State.fieldStart
    private var anyQuote = false

    private let delimiter: UInt8

    init(_ input: ByteInput, delimiter: UInt8) {
        self.input = input
        self.delimiter = delimiter
    }

    var count: Int { ends.count }
    var byteCount: Int { text.count }
    var isBlank: Bool { ends.count == 1 && text.isEmpty && !anyQuote }

    func field(_ index: Int) -> ArraySlice<UInt8> { text[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

    mutating func skipByteOrderMark() throws(ImportFlaw) { try input.skipByteOrderMark() }

    /// Reads one record.
    /// - Parameter limit: bytes of its fields; nil passes over a record of any length without keeping it.
    /// - Returns: its lines; nil at the end.
    mutating func record(limit: Int?) throws(ImportFlaw) -> ClosedRange<Int>? {
        text.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        anyQuote = false
        state = .fieldStart
        let first = line + 1
        var any = false
        while true {
            if input.position == input.bytes.count, try !input.more() {
                guard any else { return nil }
                guard state != .quoted else { throw flaw(first, "has a quoted field that never ends") }
                ends.append(text.count)
                line += 1
                return first...line
            }
            any = true
            let byte = input.bytes[input.position]
            input.position += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            if try step(byte, first, keeping: limit != nil) { return first...line }
            if let limit, text.count + ends.count > limit { throw .line(first, JSONText.tooLarge(moreThan: limit)) }
        }
    }

    /// - Returns: whether the byte ended the record.
    private mutating func step(_ byte: UInt8, _ first: Int, keeping: Bool) throws(ImportFlaw) -> Bool {
        switch (state, byte) {
        case (.quoted, UInt8(ascii: "\"")): state = .quoteInQuoted
        case (.quoted, _): keep(byte, keeping)
        case (.quoteInQuoted, UInt8(ascii: "\"")):
            keep(byte, keeping)
            state = .quoted
        case (.fieldStart, UInt8(ascii: "\"")):
            anyQuote = true
            state = .quoted
        case (.carriageReturn, _) where byte != UInt8(ascii: "\n"):
            throw flaw(first, "has a carriage return outside quotes")
        case (_, UInt8(ascii: "\n")):
            ends.append(text.count)
            return true
        case (_, UInt8(ascii: "\r")): state = .carriageReturn
        case (_, delimiter):
            if keeping { ends.append(text.count) }
            state = .fieldStart
        case (.quoteInQuoted, _):
            throw flaw(first, "has text behind the closing quote of field \(ends.count + 1)")
        case (_, UInt8(ascii: "\"")):
            throw flaw(first, "has a quote inside field \(ends.count + 1), which does not begin with one")
        case (.fieldStart, _), (.plain, _), (.carriageReturn, _):
            keep(byte, keeping)
            state = .plain
        }
        return false
    }

    /// A header of one column that holds what other files use between columns is hardly meant as one name.
    func otherDelimiter(in header: [ArraySlice<UInt8>]) -> InvalidInput? {
        guard header.count == 1, !anyQuote else { return nil }
        let others: [(byte: UInt8, name: String, option: String)] = [
            (UInt8(ascii: ";"), "semicolons", "';'"), (UInt8(ascii: "\t"), "tabs", "tab"),
            (UInt8(ascii: ","), "commas", ","),
        ]
        guard let other = others.first(where: { $0.byte != delimiter && header[0].contains($0.byte) }) else { return nil }
        return InvalidInput(
            field: "header",
            reason: "is one column that holds \(other.name); if they separate columns, add --delimiter \(other.option), "
                + "otherwise put the name in quotes")
    }

    private mutating func keep(_ byte: UInt8, _ keeping: Bool) {
        if keeping { text.append(byte) }
    }

    private func flaw(_ line: Int, _ reason: String) -> ImportFlaw {
        .line(line, InvalidInput(field: "row", reason: reason))
    }
}

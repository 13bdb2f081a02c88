import MartletCore

/// CSV: the first record names the columns; each later one becomes an object of strings.
///
/// Blank lines are skipped, so a lone empty value in a file of one column must be written as `""`.
struct CSVRecords: RecordReader {
    private var tokenizer: CSVTokenizer
    private var header: CSVHeader?

    private let startLine: Int
    private let maxBytes: Int
    private let defaults: ImportDefaults
    private var scanner = JSONScanner()

    var used: Int { tokenizer.input.used }
    /// Lines behind us.
    var line: Int { tokenizer.line }

    init(_ input: ByteInput, delimiter: UInt8, startLine: Int, maxBytes: Int, defaults: ImportDefaults) {
        tokenizer = CSVTokenizer(input, delimiter: delimiter)
        self.startLine = startLine
        self.maxBytes = maxBytes
        self.defaults = defaults
    }

    /// - Returns: nil at the end.
    mutating func next() throws(ImportFlaw) -> ImportRecord? {
        let header: CSVHeader
        if let known = self.header {
            header = known
        } else {
            header = try readHeader()
            self.header = header
        }
        while true {
            let wanted = tokenizer.nextLine >= startLine
            guard let lines = try tokenizer.record(limit: wanted ? maxBytes + Limits.importLineSlack : nil) else {
                return nil
            }
            if !wanted || tokenizer.isBlank { continue }
            do throws(InvalidInput) {
                return ImportRecord(job: try defaults.job(try args(header)), lines: lines)
            } catch {
                throw .line(lines.lowerBound, error)
            }
        }
    }

    private mutating func readHeader() throws(ImportFlaw) -> CSVHeader {
        try tokenizer.skipByteOrderMark()
        while let lines = try tokenizer.record(limit: maxBytes + Limits.importLineSlack) {
            if tokenizer.isBlank { continue }
            do throws(InvalidInput) {
                let fields = (0..<tokenizer.count).map { tokenizer.field($0) }
                if let other = tokenizer.otherDelimiter(in: fields) { throw other }
                return try CSVHeader(fields)
            } catch {
                throw .line(lines.lowerBound, error)
            }
        }
        throw .line(1, InvalidInput(field: "header", reason: "is missing; the first line must name the columns"))
    }

    private mutating func args(_ header: CSVHeader) throws(InvalidInput) -> JSONText {
        guard tokenizer.count == header.names.count else {
            throw InvalidInput(
                field: "row", reason: "has \(tokenizer.count) fields; the header names \(header.names.count)")
        }
        var object: [UInt8] = [UInt8(ascii: "{")]
        object.reserveCapacity(tokenizer.byteCount + header.byteCount)
        var starts: [Int] = []
        for column in header.names.indices {
            if column > 0 { object.append(UInt8(ascii: ",")) }
            starts.append(object.count)
            object += header.encodedKeys[column]
            CSVHeader.appendString(tokenizer.field(column), to: &object)
        }
        object.append(UInt8(ascii: "}"))
        guard object.count <= maxBytes else { throw JSONText.tooLarge(object.count, maxBytes, "args") }
        // What was built is JSON if the fields are text; the scanner tells whether they are.
        do throws(JSONFlaw) {
            _ = try scanner.value(object.span)
        } catch {
            let column = starts.lastIndex { $0 <= error.offset } ?? 0
            throw CSVHeader.notText(error, field: header.names[column])
        }
        return JSONText(trusted: object)
    }
}

/// The columns of a CSV file.
struct CSVHeader {
    let names: [String]
    /// `"name":` of each.
    let encodedKeys: [[UInt8]]

    var byteCount: Int { encodedKeys.reduce(2) { $0 + $1.count + 3 } }

    init(_ fields: [ArraySlice<UInt8>]) throws(InvalidInput) {
        var names: [String] = []
        var encodedKeys: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        var scanner = JSONScanner()
        for (index, field) in fields.enumerated() {
            guard !field.isEmpty else {
                throw InvalidInput(field: "header", reason: "has no name for column \(index + 1)")
            }
            var key: [UInt8] = []
            Self.appendString(field, to: &key)
            do throws(JSONFlaw) {
                _ = try scanner.value(key.span)
            } catch {
                throw Self.notText(error, field: "header")
            }
            let name = String(decoding: field, as: UTF8.self)
            guard seen.insert(Array(field)).inserted else {
                throw InvalidInput(field: "header", reason: "names \(name.debugDescription) twice")
            }
            names.append(name)
            encodedKeys.append(key + [UInt8(ascii: ":")])
        }
        self.names = names
        self.encodedKeys = encodedKeys
    }

    static func notText(_ flaw: JSONFlaw, field: String) -> InvalidInput {
        InvalidInput(
            field: field,
            reason: flaw.problem == .nul ? "contains a NUL character, which databases cannot keep" : "is not valid UTF-8")
    }

    /// A JSON string of any bytes. A NUL stays as it is, for the scanner to find.
    static func appendString(_ text: ArraySlice<UInt8>, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): json += [UInt8(ascii: "\\"), byte]
            case 0x0A: json += "\\n".utf8
            case 0x0D: json += "\\r".utf8
            case 0x09: json += "\\t".utf8
            case 0x01...0x1F: json += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: json.append(byte)
            }
        }
        json.append(UInt8(ascii: "\""))
    }
}

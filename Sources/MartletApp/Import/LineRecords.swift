import MartletCore

/// One job of a source, and the lines it came from.
struct ImportRecord {
    let job: NewJob
    let lines: ClosedRange<Int>
}

/// What both kinds of sources are to the one who gathers their records.
protocol RecordReader {
    /// The number of the line read last, from 1.
    var line: Int { get }
    /// Bytes behind us.
    var used: Int { get }
    /// - Returns: nil at the end.
    mutating func next() throws(ImportFlaw) -> ImportRecord?
}

/// NDJSON: one record a line. Blank lines are skipped.
struct LineRecords: RecordReader {
    private var input: ByteInput
    private(set) var line = 0

    var used: Int { input.used }

    private let startLine: Int
    private let maxBytes: Int
    private let defaults: ImportDefaults
    private var scanner = JSONScanner()
    private var envelope: EnvelopeReader?

    init(_ input: ByteInput, envelope: Bool, startLine: Int, maxBytes: Int, defaults: ImportDefaults) {
        self.input = input
        self.startLine = startLine
        self.maxBytes = maxBytes
        self.defaults = defaults
        self.envelope = envelope ? EnvelopeReader(defaults: defaults, maxBytes: maxBytes) : nil
    }

    mutating func next() throws(ImportFlaw) -> ImportRecord? {
        if line == 0 { try input.skipByteOrderMark() }
        while line < startLine - 1 {
            guard try input.skipLine() else { return nil }
            line += 1
        }
        while let found = try input.line(limit: maxBytes + Limits.importLineSlack) {
            line += 1
            switch found {
            case .tooLong:
                throw .line(line, JSONText.tooLarge(moreThan: maxBytes))
            case .whole(let range):
                if isBlank(range) { continue }
                do throws(InvalidInput) {
                    return ImportRecord(job: try job(range), lines: line...line)
                } catch {
                    throw .line(line, error)
                }
            }
        }
        return nil
    }

    private mutating func job(_ range: Range<Int>) throws(InvalidInput) -> NewJob {
        if envelope != nil { return try envelope!.job(input.bytes, range) }
        let bytes = input.bytes
        let value: Range<Int>
        do throws(JSONFlaw) {
            value = try scanner.value(bytes.span.extracting(range))
        } catch {
            throw InvalidInput(field: "args", reason: error.reason(in: bytes.span.extracting(range)))
        }
        guard value.count <= maxBytes else { throw JSONText.tooLarge(value.count, maxBytes, "args") }
        let start = range.lowerBound + value.lowerBound
        return try defaults.job(JSONText(trusted: Array(bytes[start..<start + value.count])))
    }

    private func isBlank(_ range: Range<Int>) -> Bool {
        range.allSatisfy { input.bytes[$0] == 0x20 || input.bytes[$0] == 0x09 || input.bytes[$0] == 0x0D }
    }
}

import MartletCore

/// Jobs that are enqueued together or not at all.
struct ImportBatch: Sendable {
    var jobs: [NewJob] = []
    /// Of all args.
    var argsBytes = 0
    /// From the first line of its first record to the last one of its last.
    var lines: ClosedRange<Int>?
    /// Where the reader stood in the source after its last record.
    var linesUsed = 0
    var bytesUsed = 0

    mutating func add(_ record: ImportRecord) {
        jobs.append(record.job)
        argsBytes += record.job.args.utf8.count
        lines = (lines?.lowerBound ?? record.lines.lowerBound)...record.lines.upperBound
    }
}

/// Reads records and gathers them.
struct BatchReader {
    private var records: any RecordReader
    private let maxJobs: Int
    private let maxBytes: Int

    init(_ input: ByteInput, _ importer: Importer) {
        switch importer.format {
        case .ndjson, .envelope:
            records = LineRecords(
                input, envelope: importer.format == .envelope, startLine: importer.startLine,
                maxBytes: importer.maxArgsBytes, defaults: importer.defaults)
        case .csv:
            records = CSVRecords(
                input, startLine: importer.startLine, maxBytes: importer.maxArgsBytes, defaults: importer.defaults)
        }
        maxJobs = importer.batchJobs
        maxBytes = importer.batchBytes
    }

    /// - Returns: the next full batch; at the end of the source a shorter one, then empty ones.
    mutating func next() throws(ImportFlaw) -> ImportBatch {
        var batch = ImportBatch()
        while hasRoom(batch), let record = try records.next() { batch.add(record) }
        (batch.linesUsed, batch.bytesUsed) = (records.line, records.used)
        return batch
    }

    private func hasRoom(_ batch: ImportBatch) -> Bool { batch.jobs.count < maxJobs && batch.argsBytes < maxBytes }
}

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

/// What has been gathered and not yet handed over. Belongs to the reading thread alone: the source looks at it while the
/// reader of records waits for more bytes, in the middle of a line perhaps.
final class PendingBatch {
    private(set) var batch = ImportBatch()
    private var began: ContinuousClock.Instant?

    /// How long its first job has waited; nil while it is empty.
    var age: Duration? { began.map { $0.duration(to: .now) } }

    func add(_ record: ImportRecord, linesUsed: Int, bytesUsed: Int) {
        began = began ?? .now
        batch.add(record)
        reached(linesUsed: linesUsed, bytesUsed: bytesUsed)
    }

    func reached(linesUsed: Int, bytesUsed: Int) { (batch.linesUsed, batch.bytesUsed) = (linesUsed, bytesUsed) }

    func take() -> ImportBatch {
        defer { (batch, began) = (ImportBatch(), nil) }
        return batch
    }
}

/// Reads records and gathers them.
struct BatchReader {
    private var records: any RecordReader
    private let pending: PendingBatch
    private let maxJobs: Int
    private let maxBytes: Int

    init(_ input: ByteInput, _ importer: Importer, pending: PendingBatch = PendingBatch()) {
        self.pending = pending
        switch importer.format {
        case .ndjson, .envelope:
            records = LineRecords(
                input, envelope: importer.format == .envelope, startLine: importer.startLine,
                maxBytes: importer.maxArgsBytes, defaults: importer.defaults)
        case .csv:
            records = CSVRecords(
                input, delimiter: importer.delimiter, startLine: importer.startLine, maxBytes: importer.maxArgsBytes,
                defaults: importer.defaults)
        }
        maxJobs = importer.batchJobs
        maxBytes = importer.batchBytes
    }

    /// - Returns: the next full batch; at the end of the source a shorter one, then empty ones.
    mutating func next() throws(ImportFlaw) -> ImportBatch {
        while hasRoom(pending.batch), let record = try records.next() {
            pending.add(record, linesUsed: records.line, bytesUsed: records.used)
        }
        pending.reached(linesUsed: records.line, bytesUsed: records.used)
        return pending.take()
    }

    private func hasRoom(_ batch: ImportBatch) -> Bool { batch.jobs.count < maxJobs && batch.argsBytes < maxBytes }
}

import Foundation
import MartletCore
import MartletStore

/// Enqueues jobs from a file or a pipe, in constant memory.
///
/// A thread of its own reads and parses; the task that called ``run(into:progress:)`` stores one batch while the next
/// one is being parsed. Batches are stored in the order of the source and one at a time, so at every moment the durable
/// jobs are exactly those of the lines before one line: an import that ended early goes on there (`--start-line`).
/// A source that makes pauses (`tail -f`) does not keep a job waiting for a full batch.
package struct Importer: Sendable {
    package let source: ImportSource
    package let format: ImportFormat
    package let defaults: ImportDefaults
    /// Lines before this one are passed over; the header of a CSV file is read all the same.
    package let startLine: Int
    package let maxArgsBytes: Int
    package let batchJobs: Int
    package let batchBytes: Int
    /// Between the columns of CSV.
    package let delimiter: UInt8
    /// When the source has nothing more to read just then, what has been gathered waits no longer than this for company.
    package let patience: Duration

    package init(
        _ source: ImportSource, format: ImportFormat, defaults: ImportDefaults, startLine: Int = 1,
        maxArgsBytes: Int = Limits.argsBytes, batchJobs: Int = Limits.importBatchJobs,
        batchBytes: Int = Limits.importBatchBytes, delimiter: UInt8 = UInt8(ascii: ","),
        patience: Duration = .milliseconds(200)
    ) {
        precondition(startLine >= 1 && (1...Limits.enqueueBatch).contains(batchJobs))
        self.source = source
        self.format = format
        self.defaults = defaults
        self.startLine = startLine
        self.maxArgsBytes = maxArgsBytes
        self.batchJobs = batchJobs
        self.batchBytes = batchBytes
        self.delimiter = delimiter
        self.patience = patience
    }

    /// - Parameter progress: called after each batch.
    /// - Throws: ``ImportFailure``, which says what is enqueued all the same. Cancelling the task stops it so, too.
    package func run(
        into store: any JobStore, progress: (ImportProgress) -> Void = { _ in }
    ) async throws(ImportFailure) -> ImportReport {
        var tally = ImportTally(source: source.name, startLine: startLine)
        let reader: DescriptorReader
        do throws(ImportFlaw) {
            reader = try DescriptorReader(source.descriptor)
        } catch {
            throw tally.failure(error)
        }
        tally.progress.totalBytes = reader.remainingBytes

        let handover = BatchHandover()
        let thread = Thread { self.read(from: reader, to: handover) }
        thread.name = "martlet-import"
        thread.start()
        let failure = await withTaskCancellationHandler {
            await storeAll(from: handover, reader, into: store, &tally, progress)
        } onCancel: {
            Self.stop(handover, reader)
        }
        if let failure { throw failure }
        return tally.progress
    }

    /// The thread's life.
    private func read(from reader: DescriptorReader, to handover: BatchHandover) {
        let pending = PendingBatch()
        let input = ByteInput { bytes throws(ImportFlaw) in
            if let age = pending.age, try !reader.hasSomething(within: max(.zero, patience - age)) {
                handover.put(.batch(pending.take()))
                guard handover.waitForRoom() else { throw .stopped }
            }
            return try reader.read(appendingTo: &bytes)
        }
        var batches = BatchReader(input, self, pending: pending)
        do throws(ImportFlaw) {
            while true {
                guard handover.waitForRoom() else { throw .stopped }
                let batch = try batches.next()
                handover.put(.batch(batch))
                if batch.jobs.isEmpty { break }
            }
        } catch {
            handover.put(.flaw(error))
        }
        handover.put(.end)
    }

    /// Returns only when the thread has ended, whatever happens: the caller may close the descriptor then.
    private func storeAll(
        from handover: BatchHandover, _ reader: DescriptorReader, into store: any JobStore, _ tally: inout ImportTally,
        _ progress: (ImportProgress) -> Void
    ) async -> ImportFailure? {
        var failure: ImportFailure?
        while true {
            switch await handover.next() {
            case .end: return failure
            case .flaw(let flaw): failure = failure ?? tally.failure(flaw)
            case .batch(let batch):
                if failure != nil { continue }
                do throws(StoreError) {
                    let ids = batch.jobs.isEmpty ? [] : try await store.enqueue(batch.jobs)
                    tally.stored(batch, ids)
                    progress(tally.progress)
                } catch {
                    failure = tally.failure(error, batch)
                    Self.stop(handover, reader)
                }
            }
        }
    }

    private static func stop(_ handover: BatchHandover, _ reader: DescriptorReader) {
        handover.stop()
        reader.stop()
    }
}

/// What an import has done so far.
struct ImportTally {
    var progress = ImportProgress()

    private let source: String
    private var resumeLine: Int
    private let began = ContinuousClock.now

    init(source: String, startLine: Int) {
        self.source = source
        resumeLine = startLine
    }

    mutating func stored(_ batch: ImportBatch, _ ids: [JobID]) {
        progress.enqueued += ids.count
        progress.firstID = progress.firstID ?? ids.first
        progress.lastID = ids.last ?? progress.lastID
        progress.lines = batch.linesUsed
        progress.bytes = batch.bytesUsed
        progress.seconds = (ContinuousClock.now - began).inSeconds
        if let lines = batch.lines { resumeLine = lines.upperBound + 1 }
    }

    func failure(_ flaw: ImportFlaw) -> ImportFailure {
        switch flaw {
        case .line(let line, let input): ended(by: .line(line, input))
        case .reading(let reason): ended(by: .reading(reason))
        case .stopped: ended(by: .stopped)
        }
    }

    func failure(_ error: StoreError, _ batch: ImportBatch) -> ImportFailure {
        ended(by: .store(error), uncertain: error.code == .unknown ? batch.lines : nil)
    }

    private func ended(by cause: ImportFailure.Cause, uncertain: ClosedRange<Int>? = nil) -> ImportFailure {
        ImportFailure(file: source, cause: cause, done: progress, resumeLine: resumeLine, uncertain: uncertain)
    }
}

import Glibc
import MartletCore
import MartletStore
import Synchronization

extension EnqueueCommand {
    /// `--from`: many jobs, in batches; on a bad line all before it are in and nothing after it.
    func importFile(_ console: Console) async throws -> ExitStatus {
        let format: ImportFormat = source.csv ? .csv : source.envelope ? .envelope : .ndjson
        let defaults = try job.defaults(kind: kind)
        _ = try job.newJob(kind: kind, args: .emptyObject)  // what is wrong with every line is said before the first
        let limit = try job.argsLimit(console)
        let line = try Values.integer(source.startLine, field: "--start-line", in: 1...Int.max)
        let input = try openSource(console)
        defer { if input.descriptor != console.input { close(input.descriptor) } }
        let importer = Importer(
            input, format: format, defaults: defaults, startLine: line ?? 1, maxArgsBytes: limit,
            delimiter: try source.delimiterByte())
        return try await database.withStore(console, .creating) { store in
            try await run(importer, into: store, console)
        }
    }

    /// A first signal stops the reading, and the import says how far it is; a second one does not wait for that.
    private func run(
        _ importer: Importer, into store: any JobStore, _ console: Console
    ) async throws -> ExitStatus {
        let signal = Mutex<Int32?>(nil)
        let importing = Task { () -> Result<ImportReport, ImportFailure> in
            var line = ImportLine(console)
            defer { line.clear() }
            do throws(ImportFailure) {
                return .success(try await importer.run(into: store) { line.show($0) })
            } catch {
                return .failure(error)
            }
        }
        if let signals = await console.trapSignals?() {
            Task.detached {
                for await number in signals {
                    if signal.withLock({ $0 }) != nil { StopSignals.endNow(number) }
                    signal.withLock { $0 = number }
                    importing.cancel()
                }
            }
        }
        switch await importing.value {
        case .success(let report):
            try finish(report, nil, console)
            return .done
        case .failure(let failure):
            try finish(failure.done, failure, console)
            return failure.status(signal: signal.withLock { $0 })
        }
    }

    private func finish(_ report: ImportProgress, _ failure: ImportFailure?, _ console: Console) throws {
        if format.json {
            try console.output.write(JSONWriter(report: report, failure: failure))
        } else if failure == nil {
            let ids = report.firstID.flatMap { first in
                report.lastID.map { $0 == first ? ", id \(first)" : ", ids \(first) to \($0)" }
            }
            try console.output.write("enqueued \(Counted.jobs(report.enqueued))\(ids ?? "")\n")
        }
        if let failure { try console.say("martlet: \(SafeText.block(failure.description))") }
    }

    private func openSource(_ console: Console) throws(InvalidInput) -> ImportSource {
        guard let from = source.from, from != "-" else {
            return ImportSource(name: "standard input", descriptor: console.input)
        }
        let descriptor = Glibc.open(from, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw InvalidInput(field: "--from", reason: "cannot read \(from): \(String(cString: strerror(errno)))")
        }
        return ImportSource(name: from, descriptor: descriptor)
    }
}

extension ImportFailure {
    fileprivate func status(signal: Int32?) -> ExitStatus {
        switch cause {
        case .line, .reading: .failed
        case .stopped: signal == SIGTERM ? .terminated : .interrupted
        case .store: .database
        }
    }
}

extension JSONWriter {
    fileprivate init(report: ImportProgress, failure: ImportFailure?) {
        self.init()
        field("enqueued", report.enqueued)
        field("first_id", report.firstID?.rawValue)
        field("last_id", report.lastID?.rawValue)
        guard let failure else { return }
        field("line", failure.line)
        field("error", failure.reason)
        field("start_line", failure.resumeLine)
    }
}

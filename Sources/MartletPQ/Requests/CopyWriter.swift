/// Writes the rows of one COPY in PostgreSQL's binary format, in chunks. Waits when the server is slower.
package struct CopyWriter {
    private let client: PQClient
    let feed: CopyFeed
    let lane: Lane
    private var buffer = FieldBuffer()
    private(set) var isOpen = true

    /// Large enough that a chunk is cheap, small enough that a slow server is felt soon.
    private static let chunk = 128 * 1_024

    init(client: PQClient, feed: CopyFeed, lane: Lane) {
        self.client = client
        self.feed = feed
        self.lane = lane
        // Signature, flags, and the length of a header extension.
        buffer.raw(bytes: Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00])
        buffer.word(0)
        buffer.word(0)
    }

    /// - Parameters:
    ///   - columns: how many fields the closure writes.
    /// - Throws: `CancellationError`-like `PQError` when the server wants no more; the copy's own error says why.
    package mutating func row(_ columns: Int, _ write: (inout FieldBuffer) -> Void) async throws(PQError) {
        buffer.raw(Int16(columns))
        write(&buffer)
        if buffer.count >= Self.chunk { try await flush() }
    }

    private mutating func flush() async throws(PQError) {
        guard isOpen else { throw .copyOver }
        isOpen = await client.offer(buffer.take(), to: self)
        guard isOpen else { throw .copyOver }
    }

    mutating func finish() async throws(PQError) {
        // The trailer.
        buffer.raw(Int16(-1))
        try await flush()
    }
}

extension PQError {
    fileprivate static let copyOver = PQError(.cancelled, "the copy ended before all rows were written")
}

extension PQClient {
    /// Sends rows by `COPY … FROM STDIN (FORMAT binary)`, as one transaction together with whatever else the text has
    /// before and after it: all of it happens, or none.
    ///
    /// When `body` throws, nothing is written and its error is rethrown. An error of the server is found when the rows have
    /// been sent, not while they are.
    @discardableResult
    package func copy(
        _ sql: String, within: Duration? = nil, lane: Lane = .shared,
        rows body: (inout CopyWriter) async throws -> Void
    ) async throws -> [Rows] {
        let feed = CopyFeed()
        async let answer = outcome(of: .copy(sql, feed), within: within, lane: lane)
        var writer = CopyWriter(client: self, feed: feed, lane: lane)
        do {
            try await body(&writer)
            try await writer.finish()
        } catch  where writer.isOpen {
            end(feed, lane, .abandoned("given up by the client"))
            _ = await answer
            throw error
        } catch {
            // The server ended it first, and knows why.
            return try await answer.get()
        }
        end(feed, lane, .complete)
        return try await answer.get()
    }

    private func outcome(of work: Request.Work, within: Duration?, lane: Lane) async -> Result<[Rows], PQError> {
        do throws(PQError) { return .success(try await answer(to: work, within: within, lane: lane)) } catch {
            return .failure(error)
        }
    }
}

import AsyncHTTPClient
import MartletCore
import MartletWorker
import NIOCore
import NIOHTTP1

/// What of an answer is kept. Reading stops where keeping does, and the connection with it: the rest is never sent to us.
struct Answer {
    let status: Int
    /// `503 Service Unavailable`.
    let statusLine: String
    let headers: HTTPHeaders
    /// The beginning of the body.
    let body: [UInt8]
    /// How long the whole body is; nil: longer than what was read, and the server did not say.
    let length: Int?

    var isCut: Bool { length.map { $0 > body.count } ?? true }

    /// - Parameter limit: how much of the body is read.
    init(_ response: HTTPClientResponse, limit: Int) async throws {
        var kept = CappedOutput(.head, limit: limit)
        var chunks = response.body.makeAsyncIterator()
        while !kept.isCut, let chunk = try await chunks.next() { chunk.withUnsafeReadableBytes { kept.append($0) } }
        // A sequence whose task is cancelled may end as if it were complete.
        try Task.checkCancellation()
        status = Int(response.status.code)
        statusLine = Self.line(response.status)
        headers = response.headers
        body = Array(kept.bytes)
        length = kept.isCut ? response.headers.first(name: "content-length").flatMap { Int($0) } : kept.count
    }

    static func line(_ status: HTTPResponseStatus) -> String {
        let reason = PlainText.line(status.reasonPhrase, bytes: 100)
        return reason.isEmpty ? "\(status.code)" : "\(status.code) \(reason)"
    }

    func result(_ redactor: Redactor) -> JSONText? {
        let clean = redactor.clean(body, isCut: isCut)
        // What was redacted changed the count; only a complete body has one that matters.
        let total = isCut ? length : clean.count
        return CommandResult.json(clean[...], total: total, limit: Limits.resultBytes)
    }
}

/// Text from elsewhere, for people: no control characters.
enum PlainText {
    static func line(_ text: String, bytes: Int) -> String {
        CappedText.head(clean(text, keeping: []).trimmed, bytes: bytes)
    }

    static func lines(_ text: String) -> String { clean(text, keeping: ["\n", "\t"]) }

    private static func clean(_ text: String, keeping kept: Set<Unicode.Scalar>) -> String {
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar != "\r" {
            clean.append(scalar.properties.generalCategory == .control && !kept.contains(scalar) ? "\u{FFFD}" : scalar)
        }
        return String(clean)
    }
}

import MartletCore
import NIOHTTP1

/// An answer that is no success, as it is kept with the job.
///
/// The message is one line: status, where, and what the body says if it is text. The detail looks like the answer itself: the
/// status, the headers that help to find it again, and the end of the body.
enum HTTPFailure {
    /// How much of such a body is read; its end, within that, is kept.
    static let readBytes = 256 << 10

    private static let shownHeaders = [
        "date", "server", "content-type", "content-length", "retry-after", "location", "www-authenticate", "x-request-id",
        "request-id", "x-correlation-id", "x-amzn-requestid", "cf-ray", "via",
    ]

    /// - Parameter trace: the id under which the receiver may have logged the call.
    static func error(_ answer: Answer, _ endpoint: HTTPEndpoint, trace: String) -> JobError {
        let redactor = endpoint.redactor
        let body = PlainText.lines(
            String(decoding: redactor.clean(answer.body, isCut: answer.isCut), as: UTF8.self))
        var message = "\(answer.statusLine) from \(endpoint.method.rawValue) \(endpoint.display)"
        if (300..<400).contains(answer.status), let location = answer.headers.first(name: "location") {
            message += " points to \(PlainText.line(redactor.clean(location), bytes: 500)); redirects are not followed"
        } else if let line = firstLine(body, answer) {
            message += ": \(line)"
        }
        return JobError(
            type: "http", message: redactor.clean(message), detail: detail(answer, redactor, body: body, trace: trace))
    }

    private static func firstLine(_ body: String, _ answer: Answer) -> String? {
        let type = answer.headers.first(name: "content-type")?.lowercased() ?? ""
        // Nobody can read the first line of a page.
        guard !type.contains("html"), !type.contains("xml"), !body.hasPrefix("<") else { return nil }
        let line = body.split(separator: "\n").first { !$0.allSatisfy(\.isWhitespace) }
        return line.map { PlainText.line(String($0), bytes: 300) }
    }

    private static func detail(_ answer: Answer, _ redactor: Redactor, body: String, trace: String) -> String {
        var head = answer.statusLine + "\n"
        for name in shownHeaders {
            for value in answer.headers[name] {
                head += "\(name): \(PlainText.line(redactor.clean(value), bytes: 500))\n"
            }
        }
        head += "traceparent sent: \(trace)\n"
        guard !body.isEmpty else { return head }
        let room = Limits.errorDetailBytes - head.utf8.count - 1
        let mark = answer.isCut ? "…" : ""
        return head + "\n" + CappedText.tail(body, bytes: room - mark.utf8.count) + mark
    }
}

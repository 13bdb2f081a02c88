import MartletCore

/// A line that says more of a job than its args. The args are taken as they are written, never re-encoded.
struct EnvelopeReader {
    static let keys = [
        "args", "kind", "queue", "priority", "run_at", "in", "max_attempts", "timeout", "expires_in", "expires_at",
    ]

    private let defaults: ImportDefaults
    private let maxBytes: Int
    /// One level deeper than args, for the envelope around them.
    private var scanner = JSONScanner(maxDepth: Limits.argsDepth + 1)

    init(defaults: ImportDefaults, maxBytes: Int) {
        self.defaults = defaults
        self.maxBytes = maxBytes
    }

    mutating func job(_ bytes: [UInt8], _ line: Range<Int>) throws(InvalidInput) -> NewJob {
        do throws(JSONFlaw) {
            _ = try scanner.object(bytes.span.extracting(line))
        } catch {
            throw notAnObject(bytes, line)
                ?? InvalidInput(
                    field: "envelope", reason: error.reason(in: bytes.span.extracting(line)))
        }

        var args = JSONText.emptyObject
        var (kind, queue, priority) = (defaults.kind, defaults.queue, defaults.priority)
        var (maxAttempts, timeout) = (defaults.maxAttempts, defaults.timeout)
        var start: NewJob.Start?
        var expires: NewJob.Expiry?
        for member in scanner.members {
            let text = bytes[line.lowerBound + member.value.lowerBound..<line.lowerBound + member.value.upperBound]
            let field = EnvelopeField(name: member.key, text: text)
            if member.key == "args" {
                guard text.count <= maxBytes else { throw JSONText.tooLarge(text.count, maxBytes, "args") }
                args = JSONText(trusted: Array(text))
                continue
            }
            guard Self.keys.contains(member.key) else { throw Self.unknown(member.key) }
            // null says as much as leaving the key out.
            if text.elementsEqual("null".utf8) { continue }
            switch member.key {
            case "kind": kind = try field.string()
            case "queue": queue = try field.string()
            case "priority": priority = try Priority(validating: field.integer(), field: field.name)
            case "max_attempts": maxAttempts = try field.integer()
            case "timeout": timeout = try Duration(parsing: field.string(), field: field.name)
            case "expires_in", "expires_at":
                guard expires == nil else {
                    throw InvalidInput(
                        field: field.name, reason: "stands beside the other of expires_in and expires_at; give one")
                }
                expires =
                    field.name == "expires_in"
                    ? .after(try Duration(parsing: field.string(), field: field.name))
                    : .at(try Timestamp(rfc3339: field.string(), field: field.name))
            default:
                guard start == nil else {
                    throw InvalidInput(field: field.name, reason: "stands beside the other of in and run_at; give one")
                }
                start =
                    field.name == "in"
                    ? .after(try Duration(parsing: field.string(), field: field.name))
                    : .at(try Timestamp(rfc3339: field.string(), field: field.name))
            }
        }
        return try NewJob(
            kind: kind, args: args, queue: queue, priority: priority, start: start ?? defaults.start,
            maxAttempts: maxAttempts, timeout: timeout, expires: expires ?? defaults.expires)
    }

    /// For lines that are JSON, but args without an envelope.
    private mutating func notAnObject(_ bytes: [UInt8], _ line: Range<Int>) -> InvalidInput? {
        let found: String
        switch bytes[line].first(where: { $0 != 0x20 && $0 != 0x09 }) {
        case UInt8(ascii: "{"), nil: return nil
        case UInt8(ascii: "["): found = "a list"
        case UInt8(ascii: "\""): found = "a string"
        default: found = "a value"
        }
        do throws(JSONFlaw) {
            _ = try scanner.value(bytes.span.extracting(line))
        } catch {
            return nil
        }
        return InvalidInput(field: "envelope", reason: "expected an object such as {\"args\": …}, found \(found)")
    }

    private static func unknown(_ key: String) -> InvalidInput {
        let suggestion = Suggestion.nearest(to: key, in: keys).map { "did you mean \($0)?" }
        let name = CappedText.head(key, bytes: 64).debugDescription
        return InvalidInput(
            field: "envelope",
            reason: "has the unknown key \(name); " + (suggestion ?? "known are \(keys.joined(separator: ", "))"))
    }
}

/// One member of an envelope, as it is written.
private struct EnvelopeField {
    let name: String
    let text: ArraySlice<UInt8>

    func string() throws(InvalidInput) -> String {
        guard let string = JSONText(trusted: Array(text)).decodedString else { throw expected("a string") }
        return string
    }

    func integer() throws(InvalidInput) -> Int {
        guard let integer = Int(String(decoding: text, as: UTF8.self)) else { throw expected("an integer") }
        return integer
    }

    private func expected(_ what: String) -> InvalidInput {
        let shown = CappedText.head(String(decoding: text, as: UTF8.self), bytes: 64)
        return InvalidInput(field: name, reason: "expected \(what), found \(shown)")
    }
}

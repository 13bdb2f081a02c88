import Glibc
import MartletCore
import Yams

/// Reads a YAML file, one document, into a tree that knows its lines.
enum YAMLDocument {
    /// Nobody's configuration is longer. Whoever writes the file decides which commands run here, so this guards against
    /// naming the wrong file, not against an attacker. The parser itself refuses more than 1000 levels.
    private static let limit = 1 << 20

    static func parse(_ bytes: [UInt8], file: String) throws(InvalidInput) -> YAMLValue? {
        guard bytes.count <= limit else {
            throw InvalidInput(field: file, reason: "is longer than \(limit >> 10) KiB, which is no configuration")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InvalidInput(field: file, reason: "is not UTF-8 text")
        }
        do {
            // UTF-8 said aloud, so that the parser does not look into the environment and print what it found there.
            let parser = try Yams.Parser(yaml: text, encoding: .utf8)
            return try parser.singleRoot().map { YAMLValue(node: $0, file: file, path: "") }
        } catch let error as YamlError {
            throw invalid(error, file: file)
        } catch {
            throw InvalidInput(field: file, reason: "\(error)")
        }
    }

    private static func invalid(_ error: YamlError, file: String) -> InvalidInput {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let reason = [context?.text, problem].compactMap(\.self).joined(separator: ", ")
            return InvalidInput(field: "\(file):\(mark.line):\(mark.column)", reason: "is not YAML: \(reason)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map(\.debugDescription).joined(separator: ", ")
            return InvalidInput(
                field: "\(file):\(context.mark.line):\(context.mark.column)",
                reason: "the same key stands twice in one place: \(names)")
        case .reader(let problem, _, _, _):
            return InvalidInput(field: file, reason: "is not YAML: \(problem)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return InvalidInput(field: file, reason: "cannot be read as YAML: \(error)")
        }
    }
}

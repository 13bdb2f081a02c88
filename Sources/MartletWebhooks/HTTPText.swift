import MartletCore
import MartletWorker

/// A value of the configuration: written there, or kept elsewhere because it is a secret. Secrets are read once, when the
/// worker starts, and never shown.
package enum HTTPText: Sendable, Equatable {
    case plain(String)
    /// A variable of the worker's environment, behind a prefix such as `Bearer `.
    case environment(String, prefix: String = "")
    /// The whole content of a file but for one newline at its end, behind a prefix.
    case file(String, prefix: String = "")

    package static let longest = 64 << 10

    package struct Resolved: Sendable {
        package let text: String
        /// What must not be shown, if anything.
        package let secret: String?
    }

    /// - Throws: ``InvalidInput`` naming the field, never the value.
    package func resolved(field: String, environment: [String: String]) throws(InvalidInput) -> Resolved {
        switch self {
        case .plain(let text):
            return Resolved(text: text, secret: nil)
        case .environment(let name, let prefix):
            guard let value = environment[name] else {
                throw InvalidInput(field: field, reason: "the environment variable \(name) is not set")
            }
            return try Self.secret(value, prefix: prefix, "the environment variable \(name)", field: field)
        case .file(let path, let prefix):
            return try Self.secret(try Self.read(path, field: field), prefix: prefix, "the file \(path)", field: field)
        }
    }

    private static func secret(
        _ value: String, prefix: String, _ source: String, field: String
    ) throws(InvalidInput) -> Resolved {
        let value = value.trimmed
        guard !value.isEmpty else { throw InvalidInput(field: field, reason: "\(source) is empty") }
        return Resolved(text: prefix + value, secret: value)
    }

    private static func read(_ path: String, field: String) throws(InvalidInput) -> String {
        let bytes: [UInt8]
        do {
            bytes = try SmallFile.read(path, limit: longest, field: field)
        } catch let error as InvalidInput {
            throw error
        } catch let error as SmallFile.Missing {
            throw InvalidInput(field: field, reason: "cannot read \(path): \(error.reason)")
        } catch {
            throw InvalidInput(field: field, reason: "cannot read \(path): \(error)")
        }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw InvalidInput(field: field, reason: "the file \(path) is not UTF-8 text")
        }
        if text.last?.isNewline == true { text.removeLast() }
        return text
    }
}

/// Why args do not fit a type, for a person who may know only the JSON.
enum Misfit {
    static func reason(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, let context):
            "key \(path(context.codingPath + [key])) is missing"
        case .valueNotFound(let type, let context):
            "\(path(context.codingPath)) is null, not \(name(type))"
        case .typeMismatch(let type, let context):
            "\(path(context.codingPath)) is not \(name(type))"
        case .dataCorrupted(let context):
            // What a type says that looks at its values itself; also numbers that do not fit their type.
            (context.codingPath.isEmpty ? "" : "\(path(context.codingPath)): ") + context.debugDescription
        case .some(let other):
            "\(other)"
        case nil:
            "\(error)"
        }
    }

    /// `` `files[2].name` ``, as one would write it in most languages.
    private static func path(_ keys: [any CodingKey]) -> String {
        guard !keys.isEmpty else { return "the whole" }
        let text = keys.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return "`\(text)`"
    }

    private static func name(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any Numeric.Type: "a number"
        case is any Misfitting.Type, is [any Any].Type: "an array"
        case is [String: any Sendable].Type, is [String: Any].Type: "an object"
        default: "a \(type)"
        }
    }
}

/// Arrays of any element.
private protocol Misfitting {}
extension Array: Misfitting {}

import MartletCore

/// Fields of args as text: strings as they are, numbers as they were written, true and false.
struct ArgsFields {
    private var values: [String: String] = [:]

    /// - Throws: ``InvalidInput`` naming a field that is missing or is no such value.
    init(_ args: JSONText, _ names: Set<String>) throws(InvalidInput) {
        var scanner = JSONScanner()
        do throws(JSONFlaw) {
            _ = try scanner.object(args.utf8.span)
        } catch {
            throw InvalidInput(field: names.min() ?? "", reason: "is not there: args are no object")
        }
        for member in scanner.members where names.contains(member.key) {
            let text = JSONText(trusted: Array(args.utf8[member.value]))
            switch text.utf8.first {
            case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "n"):
                throw InvalidInput(field: member.key, reason: "is no string, number, true or false")
            case .some, .none:
                values[member.key] = text.decodedString ?? text.string
            }
        }
        if let missing = names.subtracting(values.keys).min() { throw InvalidInput(field: missing, reason: "is missing") }
    }

    /// Of a name that was asked for.
    subscript(_ name: String) -> String {
        guard let value = values[name] else { preconditionFailure("\(name) was not asked for") }
        return value
    }
}

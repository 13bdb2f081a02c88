import MartletCore
import Yams

/// Keys with values. Keys are words, each stands once, and those that nobody knows are refused with the nearest right one.
struct YAMLMapping {
    let value: YAMLValue
    /// In the order of the file.
    let entries: [(key: String, value: YAMLValue)]

    init(_ value: YAMLValue, _ mapping: Node.Mapping) throws(InvalidInput) {
        self.value = value
        var entries: [(key: String, value: YAMLValue)] = []
        for (key, node) in mapping {
            guard case .scalar(let scalar) = key else {
                throw YAMLValue(node: key, file: value.file, path: value.path).invalid("a key must be a word")
            }
            // A mistake about a value that is missing or elsewhere (an alias) is looked for at its key.
            entries.append((scalar.string, value.child(scalar.string, node)))
            if entries.dropLast().contains(where: { $0.key == scalar.string }) {
                throw value.child(scalar.string, key).invalid("stands here a second time")
            }
        }
        self.entries = entries
        keys = Dictionary(uniqueKeysWithValues: zip(entries.map(\.key), mapping.keys))
    }

    /// The nodes of the keys themselves.
    private let keys: [String: Node]

    subscript(_ key: String) -> YAMLValue? { entries.first { $0.key == key }?.value }

    /// - Parameter hints: what to write instead of keys that other programs have.
    func checkKeys(_ known: [String], hints: [String: String] = [:]) throws(InvalidInput) {
        for (key, entry) in entries where !known.contains(key) {
            let hint =
                hints[key] ?? Suggestion.nearest(to: key, in: known).map { "did you mean \($0)?" }
                ?? "there is \(known.joined(separator: ", "))"
            throw place(of: key, or: entry).invalid("unknown key; \(hint)")
        }
    }

    /// Where the key stands, for mistakes that are about the key.
    func place(of key: String, or fallback: YAMLValue) -> YAMLValue {
        keys[key].map { value.child(key, $0) } ?? fallback
    }
}

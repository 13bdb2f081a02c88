import MartletCore
import Yams

/// One value of a YAML file, which knows where it stands: every mistake names line, column and the path of keys.
///
/// Types are what is written, without YAML's guesses: a number is digits, and `yes`, `on` or `1e3` in a list of words
/// stay the words they are.
struct YAMLValue {
    let node: Node
    /// The file as the user named it.
    let file: String
    /// `kinds.resize.timeout`; empty for the whole file.
    let path: String

    func invalid(_ reason: String) -> InvalidInput {
        let place = node.mark.map { "\(file):\($0.line):\($0.column)" } ?? file
        return InvalidInput(field: path.isEmpty ? place : "\(place): \(path)", reason: reason)
    }

    func child(_ name: String, _ node: Node) -> YAMLValue {
        YAMLValue(node: node, file: file, path: path.isEmpty ? name : "\(path).\(name)")
    }

    /// A word, a number as it is written, but not nothing.
    func text() throws(InvalidInput) -> String {
        guard case .scalar(let scalar) = node, !isNothing else { throw expected("text") }
        guard !scalar.string.utf8.contains(0) else { throw invalid("holds a NUL") }
        return scalar.string
    }

    /// - Parameter word: what may stand there as well.
    func integer(in range: ClosedRange<Int>, or word: String? = nil) throws(InvalidInput) -> Int {
        guard case .scalar(let scalar) = node, scalar.style == .plain, let value = Int(scalar.string) else {
            throw expected(word.map { "a whole number or \($0)" } ?? "a whole number")
        }
        guard range.contains(value) else {
            throw invalid("\(value) is out of range; \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func flag() throws(InvalidInput) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain, let value = Bool(scalar.string) else {
            throw expected("true or false")
        }
        return value
    }

    func number(in range: ClosedRange<Double>) throws(InvalidInput) -> Double {
        guard case .scalar(let scalar) = node, scalar.style == .plain, let value = Double(scalar.string) else {
            throw expected("a number")
        }
        guard range.contains(value) else {
            throw invalid("\(scalar.string) is out of range; \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func duration(in range: ClosedRange<Duration>) throws(InvalidInput) -> Duration {
        guard case .scalar(let scalar) = node, !isNothing else { throw expected("a duration such as 30s") }
        let duration: Duration
        do {
            duration = try Duration(parsing: scalar.string, field: path)
        } catch {
            throw invalid(error.reason)
        }
        guard range.contains(duration) else {
            throw invalid("\(scalar.string) is out of range; \(range.lowerBound.text) to \(range.upperBound.text)")
        }
        return duration
    }

    func list() throws(InvalidInput) -> [YAMLValue] {
        guard case .sequence(let nodes) = node else { throw expected("a list such as [a, b]") }
        return nodes.enumerated().map { YAMLValue(node: $1, file: file, path: "\(path)[\($0)]") }
    }

    func texts() throws(InvalidInput) -> [String] {
        try list().map { value throws(InvalidInput) in try value.text() }
    }

    func mapping() throws(InvalidInput) -> YAMLMapping {
        guard case .mapping(let mapping) = node else { throw expected("keys with values") }
        return try YAMLMapping(self, mapping)
    }

    /// Runs a check of the core and says where in the file the value stands.
    func checked<T>(_ body: () throws(InvalidInput) -> T) throws(InvalidInput) -> T {
        do {
            return try body()
        } catch {
            throw invalid(error.reason)
        }
    }

    private var isNothing: Bool {
        guard case .scalar(let scalar) = node else { return false }
        return scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private func expected(_ what: String) -> InvalidInput { invalid("expected \(what), found \(found)") }

    private var found: String {
        switch node {
        case .scalar(let scalar):
            isNothing ? "nothing" : TextWidth.cut(SafeText.line(scalar.string.debugDescription), to: 60)
        case .mapping: "keys with values"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

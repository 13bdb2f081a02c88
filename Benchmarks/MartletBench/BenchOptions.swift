import Foundation

/// What the command line says: `[--runs N] [--minutes N] [--json FILE] [case …]`.
struct BenchOptions {
    var runs = 5
    /// How long the cases take that run for a while.
    var minutes = 1.0
    var json: String?
    var cases: [String] = []

    init(_ arguments: [String]) throws {
        var words = arguments[...]
        while let word = words.popFirst() {
            switch word {
            case "--runs": runs = Int(try Self.value(of: word, &words, { (Int($0) ?? 0) > 0 }))!
            case "--minutes": minutes = Double(try Self.value(of: word, &words, { (Double($0) ?? 0) > 0 }))!
            case "--json": json = try Self.value(of: word, &words) { !$0.isEmpty }
            case _ where word.hasPrefix("-"): throw Failure("\(word)? [--runs N] [--minutes N] [--json FILE] [case …]")
            case _: cases.append(word)
            }
        }
    }

    private static func value(
        of option: String, _ words: inout ArraySlice<String>, _ isGood: (String) -> Bool
    ) throws -> String {
        guard let value = words.popFirst(), isGood(value) else { throw Failure("\(option) needs a value that makes sense") }
        return value
    }
}

import Foundation
import MartletCore
import MartletTestSupport
import Testing

struct JSONScannerTests {
    @Test func `members of the outermost object are reported as ranges`() throws {
        let bytes = Array(#" {"args": {"a":[1, 2]}, "que\u0075e" : "x" ,"n":-1e5} "#.utf8)
        var scanner = JSONScanner()
        let whole = try scanner.object(bytes.span)
        #expect(whole == 1..<bytes.count - 1)
        let found = scanner.members.map { ($0.key, String(decoding: bytes[$0.value], as: UTF8.self)) }
        #expect(found.map(\.0) == ["args", "queue", "n"])
        #expect(found.map(\.1) == [#"{"a":[1, 2]}"#, #""x""#, "-1e5"])
    }

    @Test func `a scanner forgets the text before`() throws {
        var scanner = JSONScanner()
        _ = try scanner.object(Array(#"{"a":1}"#.utf8).span)
        #expect(throws: JSONFlaw.self) { () throws in _ = try scanner.object(Array(#"{"a":{"b":"#.utf8).span) }
        _ = try scanner.object(Array(#"{"b":1}"#.utf8).span)
        #expect(scanner.members.map(\.key) == ["b"])
        #expect(throws: JSONFlaw.self) { () throws in _ = try scanner.object(Array("[1]".utf8).span) }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `generated documents are accepted unchanged`(seed: UInt64) throws {
        var generator = JSONGenerator(seed: seed)
        for _ in 0..<200 {
            let document = generator.document()
            #expect(try JSONText(validating: document).string == document)
            #expect(Self.foundationAccepts(Array(document.utf8)), "\(document)")
        }
    }

    /// Where one accepts and the other refuses, the reason must be one of the deliberate differences: Foundation allows
    /// repeated keys, NUL, numbers beyond a Double, a byte order mark and a comma at the end of a list, and guesses other
    /// encodings from NUL bytes.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `mutated documents are judged as Foundation judges them`(seed: UInt64) throws {
        var generator = JSONGenerator(seed: seed)
        var random = SplitMix64(seed: seed &* 977)
        var refused = 0
        for _ in 0..<500 {
            var bytes = Array(generator.document().utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) { JSONGenerator.mutate(&bytes, &random) }
            var scanner = JSONScanner()
            var flaw: JSONFlaw?
            do { _ = try scanner.value(bytes.span) } catch { flaw = error }
            if flaw != nil { refused += 1 }
            switch flaw?.problem {
            case .repeatedKey, .nul, .beyondDouble, .tooDeep: continue
            case .unexpected("']'", expected: "a value"): continue
            case nil where bytes.contains(0): continue
            default: break
            }
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(Self.foundationAccepts(bytes) == (flaw == nil), "\(text.debugDescription) \(String(describing: flaw))")
        }
        #expect(refused > 100 && refused < 500)
    }

    private static func foundationAccepts(_ bytes: [UInt8]) -> Bool {
        do {
            _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            return true
        } catch {
            return false
        }
    }
}

/// Random JSON documents with every kind of token in them, and damage to them.
private struct JSONGenerator {
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func document() -> String { value(depth: 0) }

    static func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        let interesting = Array("{}[]\":,\\u0e-+.1 \u{7f}é".utf8) + [0x01, 0x80, 0xC0, 0xED, 0xF5, 0x0A]
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[at] = interesting.randomElement(using: &random)!
        case 1: bytes.insert(interesting.randomElement(using: &random)!, at: at)
        case 2 where bytes.count > 1: bytes.remove(at: at)
        default: bytes[at] = UInt8.random(in: 0...255, using: &random)
        }
    }

    private mutating func value(depth: Int) -> String {
        switch Int.random(in: 0..<(depth < 4 ? 8 : 5), using: &random) {
        case 0: ["null", "true", "false"].randomElement(using: &random)!
        case 1: "\(Int64.random(in: .min ... .max, using: &random))"
        case 2: ["0.5", "-1e-7", "1E+10", "-0", "3.25", "1e300"].randomElement(using: &random)!
        case 3, 4: string(prefix: "")
        case 5: "[" + list { $0.value(depth: depth + 1) } + "]"
        default:
            "{" + list { $0.string(prefix: "\($0.random.next())") + $0.space() + ":" + $0.value(depth: depth + 1) } + "}"
        }
    }

    private mutating func list(_ element: (inout Self) -> String) -> String {
        let elements = (0..<Int.random(in: 0...4, using: &random)).map { _ in element(&self) }
        return space() + elements.joined(separator: space() + "," + space()) + space()
    }

    private mutating func string(prefix: String) -> String {
        let parts = ["a", "Z", "é", "€", "😀", "\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83d\\ude00", " ", "/", "\\/", "{", ","]
        let count = Int.random(in: 0...6, using: &random)
        return "\"" + prefix + (0..<count).map { _ in parts.randomElement(using: &random)! }.joined() + "\""
    }

    private mutating func space() -> String { ["", "", " ", "\n\t", "\r\n"].randomElement(using: &random)! }
}

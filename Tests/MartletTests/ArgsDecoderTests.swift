import Foundation
import MartletCore
import Testing

@testable import Martlet

/// Against `JSONDecoder`: whatever ours says, that says, too. It may say nothing.
struct ArgsDecoderTests {
    enum Colour: String, Codable { case red, green }

    enum Shape: Codable, Equatable {
        case circle(radius: Double)
        case point
    }

    struct Inner: Codable, Equatable {
        var n: Int
        var s: String?
    }

    struct Everything: Codable, Equatable {
        var a: Int
        var b: String
        var c: Double?
        var d: Bool
        var e: [Inner]
        var f: [String: Int]?
        var g: UInt8?
        var h: Colour?
        var i: [String?]
        var j: Date?
    }

    struct Foundational: Codable, Equatable {
        var data: Data?
        var url: URL?
        var decimal: Decimal?
        var date: Date?
    }

    /// Swallows what does not fit.
    struct Lenient: Codable, Equatable {
        var a: Int?
        var url: URL?
        var all: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            a = try? container.decode(Int.self, forKey: Name(stringValue: "a"))
            url = try? container.decode(URL.self, forKey: Name(stringValue: "url"))
            all = container.allKeys.map(\.stringValue).sorted()
        }
    }

    /// Looks at everything by itself.
    struct Free: Codable, Equatable {
        var text: String

        init(from decoder: any Decoder) throws {
            text = try Self.read(decoder)
        }

        private static func read(_ decoder: any Decoder) throws -> String {
            let path = decoder.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: "/")
            if let object = try? decoder.container(keyedBy: Name.self) {
                let members = try object.allKeys.sorted { $0.stringValue < $1.stringValue }.map { key in
                    "\(key.stringValue):\(try object.decode(Free.self, forKey: key).text)"
                }
                return "\(path){\(members.joined(separator: ","))}"
            }
            if var array = try? decoder.unkeyedContainer() {
                var texts: [String] = ["\(array.count ?? -1)"]
                while !array.isAtEnd {
                    texts.append(try array.decodeNil() ? "null" : array.decode(Free.self).text)
                    texts.append("\(array.currentIndex)")
                }
                return "\(path)[\(texts.joined(separator: ","))]"
            }
            let value = try decoder.singleValueContainer()
            if value.decodeNil() { return "\(path)null" }
            if let bool = try? value.decode(Bool.self) { return "\(path)\(bool)" }
            if let int = try? value.decode(Int.self) { return "\(path)\(int)" }
            if let double = try? value.decode(Double.self) { return "\(path)\(double)" }
            return "\(path)\(try value.decode(String.self).debugDescription)"
        }
    }

    struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }

    struct Empty: Codable, Equatable {}

    struct Nested: Codable, Equatable {
        var x: Int
        var y: [Int]

        init(from decoder: any Decoder) throws {
            let outer = try decoder.container(keyedBy: Name.self)
            let inner = try outer.nestedContainer(keyedBy: Name.self, forKey: Name(stringValue: "in"))
            x = try inner.decode(Int.self, forKey: Name(stringValue: "x"))
            var array = try outer.nestedUnkeyedContainer(forKey: Name(stringValue: "y"))
            y = []
            while !array.isAtEnd { y.append(try array.decode(Int.self)) }
        }
    }

    /// Remembers where it stood.
    struct Place: Codable, Equatable {
        var path: [String]
        var indexes: [Int?]

        init(from decoder: any Decoder) throws {
            path = decoder.codingPath.map(\.stringValue)
            indexes = decoder.codingPath.map(\.intValue)
        }
    }

    /// - Returns: whether ours read it.
    @discardableResult
    private func compare<T: Decodable & Equatable>(_ type: T.Type, _ json: String) -> Bool {
        let ours = ArgsDecoder.decode(type, from: Array(json.utf8))
        guard let ours else { return false }
        do {
            let theirs = try JSONDecoder().decode(type, from: Data(json.utf8))
            #expect(ours == theirs, "\(type) of \(json)")
        } catch {
            Issue.record("\(type) of \(json): ours read what theirs did not: \(error)")
        }
        return true
    }

    private func compareAll(_ json: String) {
        compare(Everything.self, json)
        compare(Foundational.self, json)
        compare(Lenient.self, json)
        compare(Free.self, json)
        compare(Nested.self, json)
        compare(Empty.self, json)
        compare(Shape.self, json)
        compare(Inner.self, json)
        compare([Inner].self, json)
        compare([String: Inner].self, json)
        compare([String?].self, json)
        compare([Int: String].self, json)
        compare(Int.self, json)
        compare(Int8.self, json)
        compare(UInt64.self, json)
        compare(Double.self, json)
        compare(Float.self, json)
        compare(String.self, json)
        compare(Bool.self, json)
        compare(Bool?.self, json)
        compare(Date.self, json)
    }

    @Test func `plain args are read here`() {
        #expect(compare(Inner.self, #"{"n": 1, "s": "x"}"#))
        #expect(compare(Inner.self, #"{"s":null,"n":-12}"#))
        #expect(compare(Inner.self, #" { "extra" : [1,{"a":[]}] , "n" : 9223372036854775807 } "#))
        #expect(compare(Inner.self, #"{"n": 1, "s": "Grüße 🚀 \"quoted\" \n\t\\ \/"}"#))
        #expect(
            compare(
                Everything.self,
                #"{"j":1234.5,"i":["x",null],"h":"green","g":255,"f":{"k":1},"e":[{"n":1}],"d":true,"c":-0.125,"b":"","a":0}"#
            ))
        #expect(compare(Shape.self, #"{"circle": {"radius": 2.5}}"#))
        #expect(compare(Shape.self, #"{"point": {}}"#))
        #expect(compare([String: Inner].self, #"{"a": {"n": 1}, "b": {"n": 2, "s": ""}}"#))
        #expect(compare([[Int]].self, "[[], [1], [2, 3]]"))
        #expect(compare(Nested.self, #"{"y": [3, 4], "in": {"x": 1}}"#))
        #expect(compare(String.self, #""""#) && compare(Int.self, "7") && compare(Bool?.self, "null"))
    }

    @Test(arguments: [
        #"{"n": 1, "n": 2}"#, #"{"n": 1.0}"#, #"{"n": 1e2}"#, #"{"n": 9223372036854775808}"#, #"{"\u006e": 1}"#,
        #"{"n": 1, "s": "\u00e9"}"#, #"{"n": 1, "s": 2}"#, #"{"s": "x"}"#, #"{"n": null}"#, #"{"n": "1"}"#, #"{"n": 01}"#,
        #"{"n": 1,}"#, #"{"n": 1} x"#, #"{"n": 1"#, #"{"n": -}"#, #"{"n": 1.}"#, #"{n: 1}"#, "{\"n\": 1, \"s\": \"\u{1}\"}",
        "", " ", "[", "nul", #"{"n" 1}"#, #"["n"]"#, "\u{FEFF}{\"n\": 1}", #"{"é": 1, "n": 1}"#,
    ])
    func `what is rare, or does not fit, is left to others`(json: String) {
        #expect(!compare(Inner.self, json))
    }

    @Test func `what a type reads in ways of Foundation is left to it, also when the type catches the failure`() {
        #expect(!compare(Foundational.self, #"{"data": "AAEC"}"#))
        #expect(!compare(Foundational.self, #"{"url": "https://example.com"}"#))
        #expect(!compare(Foundational.self, #"{"decimal": 1.1}"#))
        #expect(compare(Foundational.self, #"{"date": 1.5}"#))
        #expect(!compare(Lenient.self, #"{"a": "x"}"#))
        #expect(!compare(Lenient.self, #"{"a": 1, "url": "https://example.com"}"#))
    }

    @Test func `a type that ours cannot read is soon left to the other, one that it mostly reads is not`() throws {
        let links = ArgsReader()
        let link = Array(#"{"url": "https://example.com"}"#.utf8)
        for _ in 0..<64 {
            #expect(!links.isSettled)
            #expect(try links.read(Foundational.self, from: link).url == URL(string: "https://example.com"))
        }
        #expect(links.isSettled)
        #expect(try links.read(Foundational.self, from: link).url == URL(string: "https://example.com"))

        let mixed = ArgsReader()
        for number in 0..<5_000 {
            let json = number % 20 == 0 ? #"{"n": 1, "s": "\u00e9"}"# : #"{"n": 1, "s": "e"}"#
            #expect(try mixed.read(Inner.self, from: Array(json.utf8)).n == 1)
        }
        #expect(!mixed.isSettled)
    }

    @Test func `args that nobody can read fail as JSONDecoder says, and say nothing of their type`() {
        let reader = ArgsReader()
        for _ in 0..<100 {
            #expect(throws: DecodingError.self) { try reader.read(Inner.self, from: Array(#"{"n": "x"}"#.utf8)) }
        }
        #expect(!reader.isSettled)
    }

    @Test func `a type that asks where it stands hears the same`() {
        #expect(compare([String: [Place]].self, #"{"a": [{}, 1], "b": [[], {"x": 1}, "y"]}"#))
        #expect(compare(Place.self, "{}"))
    }

    @Test func `names that are equal to letters without being the same are found by others`() {
        struct Kelvin: Codable, Equatable {
            enum CodingKeys: String, CodingKey { case k = "\u{212A}" }
            var k: Int?
        }
        #expect(!compare(Kelvin.self, #"{"K": 1}"#))
    }

    @Test func `deep and wide ones are left to others`() {
        #expect(!compare(Free.self, String(repeating: "[", count: 40) + String(repeating: "]", count: 40)))
        let wide = (0..<60).map { "\"k\($0)\": \($0)" }.joined(separator: ",")
        #expect(!compare([String: Int].self, "{\(wide)}"))
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `any JSON is read as JSONDecoder reads it, or not at all`(seed: UInt64) {
        var random = Seeded(seed)
        for _ in 0..<100 { compareAll(random.json(depth: 3)) }
        // And damaged somewhere.
        for _ in 0..<100 {
            var bytes = Array(random.json(depth: 3).utf8)
            guard !bytes.isEmpty else { continue }
            let place = random.below(bytes.count)
            switch random.below(3) {
            case 0: bytes.remove(at: place)
            case 1: bytes.insert(bytes[random.below(bytes.count)], at: place)
            default: bytes[place] = UInt8(random.below(128))
            }
            compareAll(String(decoding: bytes, as: UTF8.self))
        }
    }
}

private struct Seeded {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func below(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(limit))
    }

    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }

    private static let names = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "n", "s", "x", "y", "in", "circle", "point", "url", "data", "é",
        "1",
    ]
    private static let scalars = [
        "0", "-0", "1", "-1", "255", "256", "-128", "-129", "1.0", "0.1", "-2.5", "1e3", "1E-2", "123456789012345",
        "1234567890123456", "0.30000000000000004", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "179769313486231570000000000000000000", "true", "false", "null", "\"\"", "\"x\"", "\"red\"", "\"blue\"",
        "\"1\"", "\"a longer string than fifteen bytes\"", "\"Grüße\"", "\"\\n\\\"\\\\\\/\\b\\f\\r\\t\"", "\"\\u00e9\"",
        "\"\\ud83d\\ude80\"", "\"e\u{301}\"", "\"AAEC\"", "\"https://example.com\"",
    ]

    mutating func json(depth: Int) -> String {
        let space = pick(["", "", "", " ", "\n\t"])
        switch depth == 0 ? 0 : below(4) {
        case 0, 1:
            return space + pick(Self.scalars) + space
        case 2:
            let members = (0..<below(12)).map { _ in "\"\(pick(Self.names))\"\(space):\(json(depth: depth - 1))" }
            return space + "{" + members.joined(separator: ",") + space + "}"
        default:
            let members = (0..<below(5)).map { _ in json(depth: depth - 1) }
            return space + "[" + members.joined(separator: ",") + space + "]"
        }
    }
}

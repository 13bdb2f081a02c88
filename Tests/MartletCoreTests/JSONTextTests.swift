import MartletCore
import Testing

struct JSONTextTests {
    @Test(arguments: [
        "{}", "[]", "null", "true", "false", "0", "-0", "1.5e-3", "1E+5", "\"\"", "\"é€😀\"", #""\u00e9\ud83d\ude00\n\/""#,
        #"{"a":{"a":[{"a":1}]}}"#, "[1,2,[3]]", "12345678901234567890123456789012345678901234567890", "1e308", "1e-999",
        "0e999999999999999999999", "1.7976931348623157e308", "0.0000000001e317", #"{"":1}"#,
    ])
    func `valid JSON is kept byte for byte`(text: String) throws {
        #expect(try JSONText(validating: text).string == text)
    }

    @Test func `white space around the value goes, inside it stays`() throws {
        #expect(try JSONText(validating: " \t\r\n{ \"a\" : 1 }\n").string == "{ \"a\" : 1 }")
    }

    @Test(arguments: [
        ("", "args: is empty; expected JSON such as {\"file\": \"a.png\"}"),
        (" \n", "args: is empty; expected JSON such as {\"file\": \"a.png\"}"),
        ("a.png", "args: is not JSON: expected a value, found 'a' at byte 0"),
        ("{'a':1}", "args: is not JSON: expected a key in double quotes, found ''' at byte 1"),
        ("[1,]", "args: is not JSON: expected a value, found ']' at byte 3"),
        ("{\"a\":1,}", "args: is not JSON: expected a key in double quotes, found '}' at byte 7"),
        ("{\"a\" 1}", "args: is not JSON: expected ':' after the key, found '1' at byte 5"),
        ("{\"a\":1 \"b\":2}", "args: is not JSON: expected ',' or '}', found '\"' at byte 7"),
        ("[1", "args: is not JSON: it ends where ',' or ']' is expected, at byte 2"),
        ("tru", "args: is not JSON: expected a value (did you mean true?), found 't' at byte 0"),
        ("“a”", "args: is not JSON: expected a value, found '“' at byte 0"),
        ("\u{FEFF}{}", "args: is not JSON: expected a value, found a byte order mark at byte 0"),
        ("{} {}", "args: has text after the end of the JSON value at byte 3"),
        ("{\n  \"ä\": x\n}", "args: is not JSON: expected a value, found 'x' at line 2, column 8 (byte 10)"),
        ("\"a\nb\"", "args: has the control character 0x0A in a string, where it must be escaped, at byte 2"),
        ("\"\0\"", "args: contains a NUL character, which databases cannot keep, at byte 1"),
        ("{}\0", "args: contains a NUL character, which databases cannot keep, at byte 2"),
        (#"["\u0000"]"#, "args: contains a NUL character, which databases cannot keep, at byte 2"),
        (#""\x""#, "args: has an escape that JSON does not know at byte 1"),
        (#""\u12G4""#, "args: has an escape that JSON does not know at byte 1"),
        (#""\ud800""#, "args: has half of a surrogate pair at byte 1"),
        (#""\udc00""#, "args: has half of a surrogate pair at byte 1"),
        (#""\ud800\u0041""#, "args: has half of a surrogate pair at byte 1"),
        ("01", "args: has a number that begins with a superfluous 0 at byte 0"),
        ("-", "args: is not JSON: it ends where a digit is expected, at byte 1"),
        ("1.", "args: is not JSON: it ends where a digit is expected, at byte 2"),
        ("1e", "args: is not JSON: it ends where a digit is expected, at byte 2"),
        ("[1e400]", "args: has a number too great for a 64-bit float at byte 1"),
        ("-1.7976931348623159e308", "args: has a number too great for a 64-bit float at byte 0"),
        ("1e99999999999999999999999", "args: has a number too great for a 64-bit float at byte 0"),
        (#"{"a":1,"b":{"a":1},"a":2}"#, "args: has the key \"a\" twice in one object, again at byte 19"),
        (#"{"a":1,"\u0061":2}"#, "args: has the key \"a\" twice in one object, again at byte 7"),
        (#"{"😀":1,"\ud83d\ude00":2}"#, "args: has the key \"😀\" twice in one object, again at byte 10"),
    ])
    func `what is wrong is said with its place`(text: String, reason: String) {
        #expect(rejection { () throws(InvalidInput) in _ = try JSONText(validating: text) } == reason)
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func `text that is not UTF-8 is refused`(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let reason = rejection { () throws(InvalidInput) in
            _ = try JSONText(validating: [quote] + bytes + [quote], field: "line")
        }
        #expect(reason == "line: is not valid UTF-8 at byte 1")
        let cut = rejection { () throws(InvalidInput) in _ = try JSONText(validating: [quote] + bytes) }
        #expect(cut == "args: is not valid UTF-8 at byte 1")
    }

    @Test func `nesting is limited`() throws {
        let deepest = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(try JSONText(validating: deepest).utf8.count == 256)
        let reason = rejection { () throws(InvalidInput) in _ = try JSONText(validating: "[\(deepest)]") }
        #expect(reason == "args: is nested deeper than 128 levels at byte 128")
        let attack = rejection { () throws(InvalidInput) in
            _ = try JSONText(validating: String(repeating: "{\"a\":", count: 200_000))
        }
        #expect(attack.hasPrefix("args: is nested deeper than 128 levels"))
    }

    @Test func `size is limited`() throws {
        let text = "\"\(String(repeating: "a", count: 98))\""
        #expect(try JSONText(validating: text, maxBytes: 100).utf8.count == 100)
        let reason = rejection { () throws(InvalidInput) in _ = try JSONText(validating: text, maxBytes: 99) }
        #expect(reason.hasPrefix("args: is 100 bytes long; at most 99."))
    }

    @Test func `a repeated key is found among very many`() throws {
        let keys = (0..<60_000).map { "\"key\($0)\":\($0)" }
        let text = "{\(keys.joined(separator: ","))}"
        #expect(try JSONText(validating: text).utf8.count == text.utf8.count)
        let repeated = text.dropLast() + ",\"\\u006bey31\":0}"
        let reason = rejection { () throws(InvalidInput) in _ = try JSONText(validating: String(repeated)) }
        #expect(reason == "args: has the key \"key31\" twice in one object, again at byte \(text.utf8.count)")
    }

    @Test func `an integer with a thousand digits is beyond a Double and one with three hundred is not`() throws {
        let short = String(repeating: "7", count: 300)
        #expect(try JSONText(validating: short).string == short)
        let reason = rejection { () throws(InvalidInput) in
            _ = try JSONText(validating: String(repeating: "7", count: 1_000))
        }
        #expect(reason == "args: has a number too great for a 64-bit float at byte 0")
    }
}

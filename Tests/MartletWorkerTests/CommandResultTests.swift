import Foundation
import MartletCore
import Testing

@testable import MartletWorker

@Suite struct CommandResultTests {
    private func result(_ output: String, total: Int? = nil, limit: Int = 64) -> String? {
        encoded(Array(output.utf8), total: total, limit: limit)?.string
    }

    private func encoded(_ output: [UInt8], total: Int? = nil, limit: Int) -> JSONText? {
        CommandResult.json(output.prefix(limit), total: total ?? output.count, limit: limit)
    }

    @Test func `no output is no result`() { #expect(result("") == nil) }

    @Test func `JSON is kept as it is, but for white space around it`() {
        #expect(result(#"{"b": 1.50, "a": [null]}"# + "\n") == #"{"b": 1.50, "a": [null]}"#)
        #expect(result("12\n") == "12")
    }

    @Test func `anything else is a string, without the newline at its end`() {
        #expect(result("two words\n") == #""two words""#)
        #expect(result("a\r\nb\t\"c\" \\ \u{1}\u{1F}é\n\n") == #""a\r\nb\t\"c\" \\ \u0001\u001fé\n""#)
        #expect(result("{not json") == #""{not json""#)
        #expect(result("\n") == #""""#)
    }

    @Test func `NUL and bytes that are not UTF-8 are replaced`() throws {
        #expect(result("a\0b") == "\"a\u{FFFD}b\"")
        let text = try #require(encoded([0x61, 0xFF, 0xC3], limit: 64)?.string)
        #expect(text == "\"a\u{FFFD}\u{FFFD}\"")
    }

    @Test func `output that was cut says so and how much there was, even if its beginning is JSON`() {
        #expect(result("123456", total: 5_242_880, limit: 40) == #""123456… (cut: 5242880 bytes in all)""#)
        #expect(
            result("[1, 2, 3]" + String(repeating: " ", count: 100)) == #""[1, 2, 3]"# + String(repeating: " ", count: 28)
                + #"… (cut: 109 bytes in all)""#)
    }

    @Test(arguments: ["\u{1}", "\"", "\n", "é", "€", "🐦", "x", "aé€🐦"], 32...64)
    func `a cut is whole characters and its mark, within the limit before escapes, and valid`(
        character: String, limit: Int
    ) throws {
        let text = String(repeating: character, count: 80)
        let json = try #require(encoded(Array(text.utf8), limit: limit))
        #expect(try JSONText(validating: json.utf8) == json)
        let kept = try JSONDecoder().decode(String.self, from: Data(json.utf8))
        let mark = "… (cut: \(text.utf8.count) bytes in all)"
        #expect(kept.hasSuffix(mark) && text.hasPrefix(kept.dropLast(mark.count)))
        #expect(!kept.contains("\u{FFFD}"))
        #expect(kept.utf8.count <= limit && kept.utf8.count > limit - 4)
    }

    @Test func `a character that the limit itself splits is cut whole`() throws {
        for limit in 40...48 {
            let bytes = Array(String(repeating: "🐦", count: 30).utf8)
            let text = try #require(encoded(bytes, limit: limit)?.string)
            #expect(!text.contains("\u{FFFD}"))
        }
    }

    @Test func `the limit counts output, not the escapes that JSON adds`() {
        let lines = String(repeating: "a\n", count: 32)
        #expect(result(lines, limit: 64) == "\"" + String(repeating: "a\\n", count: 31) + "a\"")
        #expect(result("abcdef", limit: 6) == #""abcdef""#)
    }

    @Test func `bytes that are not UTF-8 are cut as well`() throws {
        let json = try #require(encoded([UInt8](repeating: 0x80, count: 100), limit: 64))
        #expect(json.string.hasSuffix("(cut: 100 bytes in all)\""))
        #expect(try JSONText(validating: json.utf8) == json)
    }
}

import MartletCore
import Testing

@testable import MartletWorker

@Suite struct CommandResultTests {
    private func result(_ output: String, isCut: Bool = false, limit: Int = 64) -> String? {
        CommandResult.json(Array(output.utf8), isCut: isCut, limit: limit)?.string
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
        let text = try #require(CommandResult.json([0x61, 0xFF, 0xC3], isCut: false, limit: 64)?.string)
        #expect(text == "\"a\u{FFFD}\u{FFFD}\"")
    }

    @Test func `output that was cut is a string with a mark, even if its beginning is JSON`() {
        #expect(result("123456", isCut: true) == #""123456…""#)
    }

    @Test(arguments: 5...40) func `it fits its limit when everything in it needs escapes, and is valid`(limit: Int) throws {
        for character in ["\u{1}", "\"", "é", "🐦", "x"] {
            let text = String(repeating: character, count: 40)
            let json = try #require(CommandResult.json(Array(text.utf8), isCut: false, limit: limit))
            #expect(json.utf8.count <= limit)
            #expect(try JSONText(validating: json.utf8) == json)
        }
    }

    @Test func `a string that just fits is whole`() {
        #expect(result("abcdef", limit: 8) == #""abcdef""#)
        #expect(result("abcdefg", limit: 8) == #""abc…""#)
    }
}

import MartletApp
import Testing

@Suite struct SafeTextTests {
    @Test func `an escape sequence becomes visible instead of being obeyed`() {
        #expect(SafeText.line("a\u{1B}]0;owned\u{7}b") == "a\\u{1b}]0;owned\\u{7}b")
        #expect(SafeText.line("\u{9B}31m") == "\\u{9b}31m")
    }

    @Test func `a line stays a line and a block keeps its lines`() {
        #expect(SafeText.line("a\nb\tc\rd") == "a\\nb\\tc\\rd")
        #expect(SafeText.block("a\nb\tc\rd") == "a\nb\tc\\rd")
    }

    @Test func `reading direction cannot be turned`() {
        #expect(SafeText.line("a\u{202E}gnp.exe") == "a\\u{202e}gnp.exe")
    }

    @Test(arguments: ["plain", "größe 漢字 👩‍👩‍👧", ""])
    func `ordinary text stays as it is`(text: String) {
        #expect(SafeText.line(text) == text)
    }
}

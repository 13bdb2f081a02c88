import MartletCore
import Testing

struct CappedTextTests {
    @Test func `what fits stays`() {
        #expect(CappedText.head("größe", bytes: 7) == "größe")
        #expect(CappedText.tail("größe", bytes: 7) == "größe")
    }

    @Test(arguments: ["abcdefghijklmnop", "äöüäöüäöüäöü", "€€€€€€€€", "😀😀😀😀😀😀", "a😀b€cöd😀e€f"], 3...15)
    func `a cut is whole characters, marked, and within its bytes`(text: String, limit: Int) {
        let (head, tail) = (CappedText.head(text, bytes: limit), CappedText.tail(text, bytes: limit))
        for cut in [head, tail] {
            #expect(cut.utf8.count <= limit)
            #expect(cut.utf8.count > limit - 4)
            #expect(!cut.unicodeScalars.contains("\u{FFFD}"))
        }
        #expect(head.hasSuffix("…") && text.hasPrefix(head.dropLast()))
        #expect(tail.hasPrefix("…") && text.hasSuffix(tail.dropFirst()))
    }

    @Test func `an error keeps the beginning of its message and the end of its detail`() {
        let error = JobError(
            type: "exit", message: "first" + String(repeating: "é", count: 4_096),
            detail: String(repeating: "é", count: 20_000) + "last")
        #expect(error.message.hasPrefix("first") && error.message.utf8.count <= Limits.errorMessageBytes)
        #expect(error.detail?.hasSuffix("last") == true && error.detail!.utf8.count <= Limits.errorDetailBytes)
    }
}

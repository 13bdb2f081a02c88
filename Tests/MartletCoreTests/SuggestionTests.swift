import MartletCore
import Testing

struct SuggestionTests {
    private let keys = ["command", "timeout", "concurrency", "retry", "in", "queue", "max_attempts"]

    @Test(
        arguments: [
            ("timout", "timeout"), ("tiemout", "timeout"), ("Timeout", "timeout"), ("qeueu", "queue"), ("comand", "command"),
            ("max-attempts", "max_attempts"), ("n", nil), ("im", "in"), ("host", nil), ("xxxxxxx", nil), ("", nil),
        ] as [(String, String?)])
    func `the nearest right word is found, or none`(word: String, nearest: String?) {
        #expect(Suggestion.nearest(to: word, in: keys) == nearest)
    }

    @Test func `endless words have no suggestion`() {
        #expect(Suggestion.nearest(to: String(repeating: "a", count: 1_000_000), in: keys) == nil)
    }

    @Test func `the first of equals wins`() {
        #expect(Suggestion.nearest(to: "cat", in: ["car", "cap"]) == "car")
    }
}

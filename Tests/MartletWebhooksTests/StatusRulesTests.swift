import MartletCore
import Testing

@testable import MartletWebhooks

@Suite struct StatusRulesTests {
    @Test func `without rules 2xx completes, 408, 429 and 5xx are tried again, all else is discarded`() {
        let rules = StatusRules()
        for status in 200..<300 { #expect(rules.verdict(status) == .completed) }
        for status in 300..<500 {
            #expect(rules.verdict(status) == ([408, 429].contains(status) ? .retry : .discard))
        }
        for status in 500..<600 { #expect(rules.verdict(status) == .retry) }
        #expect(rules.verdict(999) == .retry)
    }

    @Test func `a class means those that have no meaning of their own, a status means itself`() throws {
        var rules = StatusRules()
        try rules.set("4xx", to: .retry, field: "f")
        try rules.set("5xx", to: .discard, field: "f")
        try rules.set("404", to: .completed, field: "f")
        try rules.set("429", to: .discard, field: "f")
        #expect(rules.verdict(400) == .retry)
        #expect(rules.verdict(404) == .completed)
        #expect(rules.verdict(408) == .retry)
        #expect(rules.verdict(410) == .discard)
        #expect(rules.verdict(429) == .discard)
        #expect(rules.verdict(503) == .discard)
        #expect(rules.verdict(204) == .completed)
    }

    @Test(arguments: ["", "40", "199", "600", "1xx", "6xx", "xxx", "4x", "4XXX", "ok", "-404"])
    func `what is no status is refused`(_ key: String) {
        var rules = StatusRules()
        #expect(throws: InvalidInput.self) { try rules.set(key, to: .retry, field: "f") }
    }
}

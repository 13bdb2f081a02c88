import Testing

@testable import MartletWebhooks

@Suite struct RedactorTests {
    @Test func `a secret is taken out wherever it stands, in any of its spellings`() {
        let redactor = Redactor(secrets: ["s3cr\"et/x", "tok"])
        #expect(redactor.clean("a s3cr\"et/x b") == "a [redacted] b")
        #expect(redactor.clean(#"{"h": "s3cr\"et/x", "g": "s3cr\"et\/x"}"#) == #"{"h": "[redacted]", "g": "[redacted]"}"#)
        #expect(redactor.clean("?t=s3cr%22et%2Fx&") == "?t=[redacted]&")
        // Too short to be one.
        #expect(redactor.clean("token") == "token")
    }

    @Test func `half a secret at a cut end goes, too`() {
        let redactor = Redactor(secrets: ["topsecret"])
        #expect(String(decoding: redactor.clean(Array("x topsec".utf8), isCut: true), as: UTF8.self) == "x [redacted]")
        #expect(String(decoding: redactor.clean(Array("x topsec".utf8), isCut: false), as: UTF8.self) == "x topsec")
    }

    @Test func `the longer of two secrets goes whole`() {
        #expect(Redactor(secrets: ["abcd", "abcdefgh"]).clean("1 abcdefgh 2 abcd 3") == "1 [redacted] 2 [redacted] 3")
    }
}

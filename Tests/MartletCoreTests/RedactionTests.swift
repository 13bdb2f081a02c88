import MartletCore
import Testing

struct RedactionTests {
    private let redaction = Redaction()

    private func text(_ text: String, args: String = "{}") throws -> String {
        redaction.text(text, args: try JSONText(validating: args))
    }

    @Test(arguments: [
        (#"{"password": "hunter2", "user": "a"}"#, #"{"password": "[redacted]", "user": "a"}"#),
        (#"{"db_password":"hun\"ter2","n":1}"#, #"{"db_password":"[redacted]","n":1}"#),
        (#"{"token": 12345, "n": 1}"#, #"{"token": [redacted], "n": 1}"#),
        (#"{"secret": {"a": ["}", 1]}, "n": 1}"#, #"{"secret": [redacted], "n": 1}"#),
        (#"said "{\"token\": \"abc\", \"n\": 1}""#, #"said "{\"token\": \"[redacted]\", \"n\": 1}""#),
        ("GET /a?token=abc&n=1", "GET /a?token=[redacted]&n=1"),
        ("access_token=abc;n=1", "access_token=[redacted];n=1"),
        ("api-key = abc, n = 1", "api-key = [redacted], n = 1"),
        ("password='hunter 2' user=a", "password='[redacted]' user=a"),
        ("Authorization: Bearer abc.def\nHost: a", "Authorization: Bearer [redacted]\nHost: a"),
        ("Proxy-Authorization: Basic YTpi", "Proxy-Authorization: Basic [redacted]"),
        ("Set-Cookie: id=1; path=/\nHost: a", "Set-Cookie: [redacted]\nHost: a"),
        ("password=", "password="),
        (#"password="hun"#, #"password="[redacted]"#),
        ("token: \"", "token: \"[redacted]"),
        ("tokens: 5, passwords: 3", "tokens: 5, passwords: 3"),
        ("the password is wrong", "the password is wrong"),
        ("päßwörter: ünberührt", "päßwörter: ünberührt"),
    ])
    func `what follows a secret key is left out`(given: String, expected: String) throws {
        #expect(try text(given) == expected)
        // A second time changes nothing.
        #expect(try text(expected) == expected)
    }

    @Test func `values that stand under secret keys in the args are left out wherever they stand`() throws {
        let args =
            #"{"user": "anna", "auth": {"password": "hunter2", "n": 1}, "secret": ["s3cret-a", {"b": "s3cret-b"}], "z": "end"}"#
        #expect(
            try text("anna could not log in with hunter2, s3cret-a or s3cret-b in the end", args: args)
                == "anna could not log in with [redacted], [redacted] or [redacted] in the end")
    }

    @Test func `values are found as JSON writes them and as they are meant`() throws {
        let args = #"{"password": "q\"\u00e4\ud83d\ude00\\x"}"#
        #expect(
            try text("meant q\"ä😀\\x, written q\\\"\\u00e4\\ud83d\\ude00\\\\x", args: args)
                == "meant [redacted], written [redacted]")
    }

    @Test func `short values are no secrets`() throws {
        #expect(try text("1 of 12 is true", args: #"{"password": 1, "token": "12", "secret": true}"#) == "1 of 12 is true")
    }

    @Test func `keys are the program's to choose`() throws {
        let args = try JSONText(validating: #"{"card_number": "4111-1111", "password": "hunter2"}"#)
        let own = Redaction(keys: ["card-number"])
        #expect(own.text("4111-1111 and hunter2", args: args) == "[redacted] and hunter2")
        #expect(Redaction(keys: []).text("password=hunter2", args: args) == "password=hunter2")
        #expect(own.isSecret(key: "CardNumber") && !own.isSecret(key: "card"))
    }
}

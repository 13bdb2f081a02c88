import MartletCore
import Testing

@testable import MartletWebhooks

@Suite struct URLTemplateTests {
    private func expand(_ template: String, _ args: String) throws -> String {
        try URLTemplate(parsing: template, field: "url").expanded(JSONText(validating: args))
    }

    @Test func `fields of args stand in path and query, percent-encoded`() throws {
        let template = "https://Example.com:8443/users/{user}/a-{n}.json?q={q}&{key}=1"
        let args = #"{"user": "a/b c?#é&=", "n": 1.50, "q": "x&admin=1", "key": true, "other": [1]}"#
        #expect(
            try expand(template, args)
                == "https://example.com:8443/users/a%2Fb%20c%3F%23%C3%A9%26%3D/a-1.50.json?q=x%26admin%3D1&true=1")
        #expect(try expand("https://example.com", "[]") == "https://example.com")
        #expect(try expand("https://example.com/?x={x}", #"{"x": ""}"#) == "https://example.com/?x=")
        #expect(try expand("https://example.com/{x}", #"{"x": "A\u002fB%2e"}"#) == "https://example.com/A%2FB%252e")
    }

    @Test(arguments: [
        "..", ".", "../admin", "a/../b", "..\\\\x", "%2e%2e", "%2E.", "%252e%252e", "..;x", "a/./b", "..%2fx", "",
    ])
    func `no value leads the path elsewhere`(_ value: String) {
        #expect(throws: InvalidInput.self) { try expand("https://example.com/u/{x}/y", "{\"x\": \"\(value)\"}") }
    }

    @Test func `text and fields together are a step, too`() {
        #expect(throws: InvalidInput.self) { try expand("https://example.com/.{x}", #"{"x": "."}"#) }
        #expect(throws: InvalidInput.self) { try expand("https://example.com/%2e{x}", #"{"x": "."}"#) }
        #expect(throws: Never.self) { try expand("https://example.com/v{x}", #"{"x": ".."}"#) }
    }

    @Test func `an arbitrary value never changes scheme, host, port or the number of segments`() throws {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("abz019/\\.%2eE?#@:;&={}[] \t\u{7F}é漢\"'<>|^`~-_+,$!*()")
        for _ in 0..<3_000 {
            let value = String(
                (0..<Int.random(in: 1...8, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            let template = try URLTemplate(parsing: "https://example.com:444/a/{x}/c?d={x}", field: "url")
            var bytes = [UInt8(ascii: "\"")]
            for byte in value.utf8 {
                if byte < 0x20 {
                    bytes += Array("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
                } else {
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                    bytes.append(byte)
                }
            }
            let args = try JSONText(validating: Array("{\"x\":".utf8) + bytes + Array("\"}".utf8))
            let url: String
            do { url = try template.expanded(args) } catch { continue }
            #expect(url.hasPrefix("https://example.com:444/a/"))
            let halves = url.split(separator: "?", omittingEmptySubsequences: false)
            #expect(halves.count == 2 && halves[0].split(separator: "/").count == 5 && halves[0].hasSuffix("/c"), "\(url)")
            #expect(url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !url.contains("#") && !url.contains("@"))
            #expect(halves[1].dropFirst(2).allSatisfy { !"&=;+".contains($0) })
        }
    }

    @Test(arguments: [
        (#"{}"#, "x: is missing"), (#"{"x": null}"#, "x: is no string, number, true or false"),
        (#"{"x": [1]}"#, "x: is no string, number, true or false"),
        (#"{"x": {}}"#, "x: is no string, number, true or false"),
        (#""text""#, "x: is not there: args are no object"), (#"{"x": ""}"#, "x: is empty, and stands in a path"),
    ])
    func `args that do not fit are told by their field`(_ args: String, _ reason: String) {
        #expect(message { _ = try expand("https://example.com/{x}", args) } == reason)
    }

    @Test func `a value too long for an address is refused`() {
        let args = "{\"x\": \"\(String(repeating: "%", count: 10_000))\"}"
        #expect(message { _ = try expand("https://example.com/{x}", args) } == "x: is too long for an address")
    }

    @Test(arguments: [
        ("example.com/x", "does not begin with http:// or https://"),
        ("ftp://example.com", "does not begin with http:// or https://"),
        ("https://", "names no host"),
        ("https:///x", "names no host"),
        ("https://{host}/x", "has a field in its host or port; fields may stand in path and query only"),
        ("https://a:{port}/x", "has a field in its host or port; fields may stand in path and query only"),
        ("https://me:pw@example.com/", "has a user or password before its host; send them in the header Authorization"),
        ("https://example.com:0/", "has no port after its colon; 1 to 65535"),
        ("https://example.com:99999/", "has no port after its colon; 1 to 65535"),
        ("https://example.com:+1/", "has no port after its colon; 1 to 65535"),
        ("https://[::1/", "\"[:\" is no host name; names beyond ASCII are written xn--…"),
        ("https://[zz]/", "has no IPv6 address in its brackets"),
        ("https://exämple.com/", "\"exämple.com\" is no host name; names beyond ASCII are written xn--…"),
        ("https://example.com/a#b", "has a fragment, #…, which is never sent"),
        ("https://example.com/a b", "has \" \", which has to be percent-encoded"),
        ("https://example.com/ä", "has \"ä\", which has to be percent-encoded"),
        ("https://example.com/a%2", "has a % without two hexadecimal digits after it"),
        ("https://example.com/{x", "has a { that no name and } follow; a brace itself is written %7B"),
        ("https://example.com/{}", "has a { that no name and } follow; a brace itself is written %7B"),
        ("https://example.com/x}", "has \"}\", which has to be percent-encoded"),
    ])
    func `a mistake in an address is told`(_ text: String, _ reason: String) {
        #expect(message { _ = try URLTemplate(parsing: text, field: "url") } == "url: \(reason)")
    }

    @Test func `what is shown has no query`() throws {
        let template = try URLTemplate(parsing: "HTTPS://Example.com/u/{user}?token=abc&x={x}", field: "url")
        #expect(template.display == "https://example.com/u/{user}")
    }
}

import MartletCore
import Testing

struct NameTests {
    @Test(arguments: ["a", "9", "resize", "mail/send:v2", "A_b-c.d", String(repeating: "x", count: 128)])
    func `a name is letters, digits and little else`(name: String) throws {
        try Name.validate(name, field: "kind")
    }

    @Test(arguments: [
        ("", "kind: is empty"), (String(repeating: "x", count: 129), "kind: is 129 bytes long; at most 128"),
        ("-a", "kind: \"-a\" is not a name"), (".a", "is not a name"), ("a b", "is not a name"), ("größe", "is not a name"),
        ("a\n", "\"a\\n\" is not a name"), ("a\0", "is not a name"), ("a;b", "is not a name"), ("a%", "is not a name"),
    ])
    func `anything that would need quoting is refused`(name: String, reason: String) {
        let said = rejection { () throws(InvalidInput) in try Name.validate(name, field: "kind") }
        #expect(said.contains(reason), "\(said)")
    }
}

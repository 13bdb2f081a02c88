import Testing

@testable import MartletWebhooks

@Suite struct PrivateAddressTests {
    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.9",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
        "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::169.254.169.254",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "3fff::1", "5f00::1",
        "fc00::1", "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "4000::1", "e000::1",
    ])
    func `an address that is not public is recognized`(_ text: String) throws {
        #expect(PrivateAddress.kind(of: try #require(IPAddress(text))) != nil)
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
        "169.253.0.1", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.0.1", "192.169.0.1", "198.17.0.1",
        "198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ])
    func `a public address is left alone`(_ text: String) throws {
        #expect(PrivateAddress.kind(of: try #require(IPAddress(text))) == nil)
    }

    @Test(arguments: [
        ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"), ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"), ("017700000001", "127.0.0.1"), ("0", "0.0.0.0"), ("10.1", "10.0.0.1"),
        ("169.254.43518", "169.254.169.254"),
    ])
    func `an address is refused in any spelling`(_ text: String, _ address: String) throws {
        #expect(IPAddress(text) == nil)
        #expect(IPAddress(anySpelling: text) == IPAddress(address))
        #expect(HostLookup.system.find(text) == .addresses([try #require(IPAddress(address))]))
        let refusal = message { _ = try HTTPSpec(url: .plain("http://\(text)/")) }
        #expect(refusal?.hasPrefix("url: \(text) is \(address), and that is ") == true, "\(refusal ?? "accepted")")
    }

    @Test func `an address that is written out is refused before any job runs, and names what permits it`() {
        #expect(
            message { _ = try HTTPSpec(url: .plain("http://[::1]:8080/x")) }
                == "url: ::1 is a loopback address; allow_private: true permits it")
        #expect(message { _ = try HTTPSpec(url: .plain("http://[::1]:8080/x"), allowsPrivate: true) } == nil)
        #expect(message { _ = try HTTPSpec(url: .plain("https://1.1.1.1/")) } == nil)
    }
}

import MartletCore
import Testing

@testable import MartletApp

@Suite struct TableTests {
    private func stream(width: Int?, color: Bool = false) -> Outlet {
        Outlet(terminal: width.map { Terminal(width: $0, color: color) }) { _ in }
    }

    private var table: Table {
        var table = Table(("ID", .right), ("KIND", .left), ("ARGS", .left))
        table.add([.init("7"), .init("resize"), .init(String(repeating: "x", count: 60))])
        table.add([.init("1234"), .init("漢字"), .init("short")])
        return table
    }

    @Test func `columns line up, also under wide characters`() {
        #expect(
            table.rendered(on: stream(width: nil)) == """
                  ID  KIND    ARGS
                   7  resize  \(String(repeating: "x", count: 60))
                1234  漢字    short

                """)
    }

    @Test func `in a pipe long texts are cut, short ones never`() {
        var table = Table(("A", .left), ("B", .left))
        table.add([.init(String(repeating: "x", count: 1_000)), .init(String(repeating: "y", count: 200))])
        let line = table.rendered(on: stream(width: nil)).split(separator: "\n")[1]
        #expect(line == String(repeating: "x", count: 199) + "…  " + String(repeating: "y", count: 200))
    }

    @Test(arguments: [20, 30, 40, 80, 200])
    func `no line is wider than the terminal`(width: Int) {
        for line in table.rendered(on: stream(width: width)).split(separator: "\n") {
            #expect(TextWidth.of(String(line)) <= width)
        }
    }

    @Test func `colours only where they were asked for, and never to a pipe`() {
        var table = Table(("A", .left))
        table.add([.init("x", .red)])
        #expect(table.rendered(on: stream(width: 80, color: true)).contains("\u{1B}[31mx\u{1B}[0m"))
        #expect(!table.rendered(on: stream(width: 80)).contains("\u{1B}"))
        #expect(!table.rendered(on: stream(width: nil)).contains("\u{1B}"))
    }

    @Test func `text from jobs cannot break out of its cell`() {
        var table = Table(("A", .left))
        table.add([.init("x\n\u{1B}[2Jy")])
        #expect(table.rendered(on: stream(width: nil)) == "A\nx\\n\\u{1b}[2Jy\n")
    }
}

@Suite struct RelativeTimeTests {
    private let now = Timestamp(microseconds: 1_700_000_000_000_000)

    @Test(arguments: [
        (Duration.zero, "now"), (.milliseconds(400), "now"), (.seconds(5), "in 5s"), (.seconds(-5), "5s ago"),
        (.seconds(-3_600), "1h ago"), (.seconds(-3_661), "1h 1m ago"), (.seconds(90_000), "in 1d 1h"),
        (.seconds(-86_400 * 400), "400d ago"),
    ])
    func `times read as a person says them`(distance: Duration, text: String) {
        #expect(RelativeTime.text(now + distance, now: now) == text)
    }

    @Test func `spans below a second are milliseconds`() {
        #expect(RelativeTime.span(.milliseconds(850)) == "850ms")
        #expect(RelativeTime.span(.zero) == "0ms")
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")])
    func `long numbers come in groups`(count: Int, text: String) {
        #expect(Counted.grouped(count) == text)
    }

    @Test(arguments: [
        ("resize", "resize"), ("it's", "'it'\\''s'"), ("", "''"), ("a b;c", "'a b;c'"), ("sqlite:/x.db", "sqlite:/x.db"),
    ])
    func `words are quoted for a shell where they need it`(word: String, quoted: String) {
        #expect(ShellText.quote(word) == quoted)
    }
}

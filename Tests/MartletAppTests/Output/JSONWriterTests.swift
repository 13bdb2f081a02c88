import Foundation
import MartletApp
import MartletCore
import Testing

@Suite struct JSONWriterTests {
    private func text(_ build: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        build(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test func `keys keep the order they are written in`() {
        let json = text {
            $0.field("b", 1)
            $0.field("a", true)
            $0.field("c", nil as String?)
            $0.array("d", [1, 2])
            $0.field("e", ["x"])
            $0.field("f", nil as [String]?)
        }
        #expect(json == #"{"b":1,"a":true,"c":null,"d":[1,2],"e":["x"],"f":null}"#)
    }

    @Test func `args go in as they are, but on one line`() throws {
        let args = try JSONText(validating: "{\"z\" : 1.50,\r\n\t\"a\":[9007199254740993, \"\\n\"]}")
        #expect(text { $0.field("args", args) } == "{\"args\":{\"z\" : 1.50,  \t\"a\":[9007199254740993, \"\\n\"]}}")
    }

    @Test func `every character survives the way through a reader`() throws {
        let all = String(String.UnicodeScalarView((0..<0x3000).compactMap(Unicode.Scalar.init))) + "👩‍👩‍👧\u{10FFFF}"
        let json = text { $0.field("text", all) }
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String]
        #expect(value?["text"]?.unicodeScalars.elementsEqual(all.unicodeScalars) == true)
        #expect(!json.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
    }

    @Test func `durations are seconds to the millisecond`() {
        #expect(text { $0.seconds("s", .milliseconds(61_005)) } == #"{"s":61.005}"#)
        #expect(text { $0.seconds("s", nil) } == #"{"s":null}"#)
    }
}

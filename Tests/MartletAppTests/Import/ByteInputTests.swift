import MartletCore
import Testing

@testable import MartletApp

struct ByteInputTests {
    /// Reads of any size must not matter: the same records come out of one read and of reads of single bytes.
    @Test(arguments: ImportFormat.allCases, 1...20 as ClosedRange<UInt64>)
    func `records do not depend on where reads end`(format: ImportFormat, seed: UInt64) throws {
        let text =
            switch format {
            case .ndjson: "\u{FEFF}{\"a\":\"é😀\"}\r\n\n[1,2]\n  3  \r\n\"\\u00e9\""
            case .envelope: "{\"args\":[1,\"€\"],\"queue\":\"q\"}\n\r\n{\"in\":\"5s\"}\r\n{\"args\":null}"
            case .csv: "\u{FEFF}a,\"b\"\r\n1,\"x\"\"\r\ny\"\n\n\"\",é😀\r\n2,3"
            }
        let whole = try Self.records(Array(text.utf8), format) { $0 }
        #expect(whole.count >= 3)
        var state = seed
        let pieces = try Self.records(Array(text.utf8), format) { left in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return seed == 1 ? 1 : min(left, 1 + Int(state >> 60))
        }
        #expect(pieces == whole)
    }

    private static func records(
        _ bytes: [UInt8], _ format: ImportFormat, piece: @escaping (Int) -> Int
    ) throws -> [String] {
        var rest = bytes[...]
        let input = ByteInput { (window) throws(ImportFlaw) -> Bool in
            guard !rest.isEmpty else { return false }
            let count = piece(rest.count)
            window += rest.prefix(count)
            rest = rest.dropFirst(count)
            return true
        }
        let importer = Importer(
            ImportSource(name: "text", descriptor: -1), format: format, defaults: ImportDefaults(kind: "a"))
        var reader = BatchReader(input, importer)
        let batch = try reader.next()
        #expect(batch.bytesUsed == bytes.count)
        return batch.jobs.map { "\($0.args.string) \($0.queue) \($0.start)" } + ["\(batch.linesUsed) \(batch.lines!)"]
    }
}

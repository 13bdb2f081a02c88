import Testing

@testable import MartletWorker

@Suite struct CappedOutputTests {
    @Test(arguments: 0..<30 as Range<UInt64>)
    func `head and tail are those of the whole, however it is split`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let limit = Int.random(in: 0...40, using: &random)
        let whole = (0..<Int.random(in: 0...200, using: &random)).map { UInt8($0) }
        var head = CappedOutput(.head, limit: limit)
        var tail = CappedOutput(.tail, limit: limit)
        var rest = whole[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(Int.random(in: 1...100, using: &random)))
            rest = rest.dropFirst(piece.count)
            piece.withUnsafeBytes { head.append($0) }
            piece.withUnsafeBytes { tail.append($0) }
        }
        #expect(Array(head.bytes) == Array(whole.prefix(limit)))
        #expect(Array(tail.bytes) == Array(whole.suffix(limit)))
        #expect(head.isCut == (whole.count > limit))
        #expect(tail.isCut == (whole.count > limit))
    }
}

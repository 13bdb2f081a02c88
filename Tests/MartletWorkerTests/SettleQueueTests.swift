import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct SettleQueueTests {
    @Test func `what comes during a flush goes with the next one`() {
        var queue = SettleQueue()
        queue.add([settlement(1, 0)])
        #expect(queue.flush().map(\.index) == [0])
        queue.add([settlement(1, 1), settlement(1, 2)])
        #expect(queue.flush().map(\.index) == [0], "a flush that failed is tried again as it was")
        #expect(queue.flushed().map(\.index) == [0])
        #expect(queue.flush().map(\.index) == [1, 2])
        #expect(!queue.isEmpty)
        _ = queue.flushed()
        #expect(queue.isEmpty)
        #expect(queue.flush().isEmpty)
    }

    @Test func `a flush has a bound, and order is kept`() {
        var queue = SettleQueue()
        queue.add((0..<20_000).map { settlement(1, $0) })
        var seen: [Int] = []
        while !queue.isEmpty {
            let batch = queue.flush()
            #expect(batch.count <= SettleQueue.flushSize)
            seen += queue.flushed().map(\.index)
        }
        #expect(seen == Array(0..<20_000))
    }

    @Test func `it is full by number, and by the size of results`() {
        var queue = SettleQueue()
        queue.add((0..<SettleQueue.capacity - 1).map { settlement(1, $0) })
        #expect(!queue.isFull)
        queue.add([settlement(2, 0)])
        #expect(queue.isFull)
        _ = queue.flush()
        #expect(queue.isFull, "until it is written")
        _ = queue.flushed()
        #expect(!queue.isFull)

        let result = JSONText(trusted: [UInt8](repeating: UInt8(ascii: "1"), count: Limits.resultBytes))
        queue = SettleQueue()
        queue.add((0..<1_000).map { settlement(1, $0, .completed(result: result)) })
        #expect(queue.isFull)
    }
}

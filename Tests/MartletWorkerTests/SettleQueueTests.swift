import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct SettleQueueTests {
    @Test func `what comes during a flush goes with the next one`() {
        var queue = SettleQueue()
        queue.add([settlement(1, 0)])
        #expect(queue.flush(now: at(0)).map(\.index) == [0])
        queue.add([settlement(1, 1), settlement(1, 2)])
        #expect(queue.flush(now: at(0)).map(\.index) == [0], "a flush that failed is tried again as it was")
        #expect(queue.flushed().map(\.index) == [0])
        #expect(queue.flush(now: at(0)).map(\.index) == [1, 2])
        #expect(!queue.isEmpty)
        _ = queue.flushed()
        #expect(queue.isEmpty)
        #expect(queue.flush(now: at(0)).isEmpty)
    }

    @Test func `a flush has a bound, and order is kept`() {
        var queue = SettleQueue()
        queue.add((0..<20_000).map { settlement(1, $0) })
        var seen: [Int] = []
        while !queue.isEmpty {
            let batch = queue.flush(now: at(0))
            #expect(batch.count <= SettleQueue.flushSize)
            seen += queue.flushed().map(\.index)
        }
        #expect(seen == Array(0..<20_000))
    }

    @Test func `endings of a lease wait for each other, but not long`() {
        var queue = SettleQueue()
        queue.add([settlement(1, 0)], of: settlement(1, 0).lease, open: 100, now: at(0))
        queue.add([settlement(2, 0)], of: settlement(2, 0).lease, open: 1, now: at(1))
        #expect(queue.flush(now: at(2)).isEmpty)
        #expect(queue.due == at(3), "two milliseconds, and ten microseconds for each to come")
        #expect(!queue.isDue && !queue.isEmpty && queue.count == 2)
        queue.add([settlement(2, 1)], of: settlement(2, 0).lease, open: 0, now: at(2))
        #expect(queue.isDue)
        #expect(queue.flush(now: at(2)).map(\.index) == [0, 1], "the whole second lease")
        _ = queue.flushed()
        #expect(queue.flush(now: at(3)).map(\.lease) == [settlement(1, 0).lease], "its time is over")
        _ = queue.flushed()
        #expect(queue.isEmpty && queue.due == nil)
        #expect(SettleQueue.hold(open: 1_000_000) == .milliseconds(20))
    }

    @Test func `what is due now can be waited for, whatever is held back or comes later`() {
        var queue = SettleQueue()
        queue.add([settlement(1, 0)])
        queue.add([settlement(2, 0)], of: settlement(2, 0).lease, open: 5, now: at(0))
        let mark = queue.mark
        queue.add([settlement(3, 0)])
        #expect(queue.written < mark)
        #expect(queue.flush(now: at(0)).count == 2)
        #expect(queue.written < mark, "not before the store has it")
        _ = queue.flushed()
        #expect(queue.written >= mark && !queue.isEmpty)
    }

    @Test func `nothing is held back when there is no room for more`() {
        var queue = SettleQueue()
        let many = (0..<SettleQueue.capacity).map { settlement(1, $0) }
        queue.add(many, of: many[0].lease, open: 1, now: at(0))
        #expect(queue.isFull)
        #expect(!queue.flush(now: at(0)).isEmpty)
    }

    @Test func `it is full by number, and by the size of results`() {
        var queue = SettleQueue()
        queue.add((0..<SettleQueue.capacity - 1).map { settlement(1, $0) })
        #expect(!queue.isFull)
        queue.add([settlement(2, 0)])
        #expect(queue.isFull)
        _ = queue.flush(now: at(0))
        #expect(queue.isFull, "until it is written")
        _ = queue.flushed()
        #expect(!queue.isFull)

        let result = JSONText(trusted: [UInt8](repeating: UInt8(ascii: "1"), count: Limits.resultBytes))
        queue = SettleQueue()
        queue.add((0..<1_000).map { settlement(1, $0, .completed(result: result)) })
        #expect(queue.isFull)
    }
}

import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct JobBufferTests {
    @Test func `the most urgent come first, then those that came first`() {
        var buffer = JobBuffer()
        for (lease, priority) in [(1, 5), (2, 0), (3, 9), (4, 5)] as [(Int64, Int)] {
            buffer.append(work(chunk(lease, jobs: 1, priority: priority)))
        }
        #expect(buffer.entries.map(\.chunk.lease.id.rawValue) == [2, 1, 4, 3])
    }

    @Test func `jobs that are put back go before others of their priority`() {
        var buffer = JobBuffer()
        for (lease, priority) in [(1, 0), (2, 5)] as [(Int64, Int)] {
            buffer.append(work(chunk(lease, jobs: 1, priority: priority)))
        }
        buffer.putBack([work(chunk(3, jobs: 1, priority: 5))])
        #expect(buffer.entries.map(\.chunk.lease.id.rawValue) == [1, 3, 2])
    }

    @Test func `a kind without a share is passed over`() {
        var buffer = JobBuffer()
        buffer.append(work(chunk(1, kind: 0, priority: 0)))
        buffer.append(work(chunk(2, kind: 1, priority: 9)))
        let taken = buffer.take { $0.chunk.kind == 0 ? 0 : 2 }
        #expect(taken?.chunk.lease.id.rawValue == 2)
        #expect(taken?.range == 0..<2)
        #expect(buffer.take { $0.chunk.kind == 0 ? 0 : 2 }?.range == 2..<3)
        #expect(buffer.take { $0.chunk.kind == 0 ? 0 : 2 } == nil)
        #expect(buffer.entries.map(\.range) == [0..<3])
    }

    @Test(arguments: 0..<3) func `one job can be taken out of the middle`(index: Int) {
        var buffer = JobBuffer()
        buffer.append(work(chunk(1)))
        #expect(buffer.remove([LeaseID(rawValue: 1): [index]]).map(\.range) == [index..<index + 1])
        #expect(buffer.remove([LeaseID(rawValue: 1): [index]]).isEmpty)
        var left: [Int] = []
        while let taken = buffer.take(share: { _ in 1 }) { left += Array(taken.range) }
        #expect(left == [0, 1, 2].filter { $0 != index })
    }

    @Test func `many jobs are taken out at a time, and what lies between them keeps its place`() {
        var buffer = JobBuffer()
        for lease in 1...3 as ClosedRange<Int64> { buffer.append(work(chunk(lease, jobs: 6))) }
        let removed = buffer.remove([LeaseID(rawValue: 2): [1, 2, 4], LeaseID(rawValue: 3): [0], LeaseID(rawValue: 9): [0]])
        #expect(removed.map(\.chunk.lease.id.rawValue) == [2, 2, 3])
        #expect(removed.map(\.range) == [1..<3, 4..<5, 0..<1])
        #expect(buffer.entries.map(\.range) == [0..<6, 0..<1, 3..<4, 5..<6, 1..<6])
    }

    @Test func `nothing is lost or doubled, whatever is taken and put back`() {
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            var buffer = JobBuffer()
            var all: Set<[Int64]> = []
            var taken: [Work] = []
            for lease in 1...20 as ClosedRange<Int64> {
                let chunk = chunk(
                    lease, kind: Int.random(in: 0..<3, using: &random), jobs: Int.random(in: 0...9, using: &random),
                    priority: Int.random(in: 0...9, using: &random))
                for index in chunk.lease.jobs.indices { all.insert([lease, Int64(index)]) }
                buffer.append(work(chunk))
                let blocked = Int.random(in: 0..<3, using: &random)
                let share = Int.random(in: 1...4, using: &random)
                if let work = buffer.take(share: { $0.chunk.kind == blocked ? 0 : share }) { taken.append(work) }
                if Bool.random(using: &random), let back = taken.popLast() { buffer.putBack([back]) }
            }
            let found = (taken + buffer.removeAll()).flatMap { work in
                work.range.map { [work.chunk.lease.id.rawValue, Int64($0)] }
            }
            #expect(found.count == all.count, "seed \(seed)")
            #expect(Set(found) == all, "seed \(seed)")
        }
    }
}

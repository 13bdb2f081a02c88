import Foundation
import MartletCore
import Synchronization
import Testing

@testable import MartletApp

struct BatchHandoverTests {
    private enum Event: Equatable {
        case reads(Int)
        case takes(Int)
    }

    /// A reader that did not wait would have run through all its batches long before the first is taken.
    @Test func `the next batch is not begun before the one before is taken`() async {
        let count = 200
        let handover = BatchHandover()
        let log = Log()
        Thread.detachNewThread {
            for number in 0..<count where handover.waitForRoom() {
                log.add(.reads(number))
                var batch = ImportBatch()
                batch.linesUsed = number
                handover.put(.batch(batch))
            }
            handover.put(.end)
        }
        while log.events.isEmpty { await Task.yield() }
        for _ in 0..<1_000 { await Task.yield() }

        var taken = 0
        loop: while true {
            log.add(.takes(taken))
            switch await handover.next() {
            case .batch(let batch):
                #expect(batch.linesUsed == taken)
                taken += 1
            case .flaw, .end: break loop
            }
        }
        #expect(taken == count)
        let events = log.events
        for number in 1..<count {
            let read = events.firstIndex(of: .reads(number)), before = events.firstIndex(of: .takes(number - 1))
            #expect(read! > before!)
        }
    }

    @Test func `a reader that waits for room is told to stop`() async {
        let handover = BatchHandover()
        Thread.detachNewThread {
            var batches = 0
            while handover.waitForRoom() {
                handover.put(.batch(ImportBatch()))
                batches += 1
            }
            handover.put(.flaw(.stopped))
            handover.put(.end)
        }
        _ = await handover.next()
        handover.stop()
        var ended = false
        while !ended {
            switch await handover.next() {
            case .batch, .flaw: break
            case .end: ended = true
            }
        }
        #expect(!handover.waitForRoom())
    }

    private final class Log: Sendable {
        private let state = Mutex<[Event]>([])
        var events: [Event] { state.withLock { $0 } }
        func add(_ event: Event) { state.withLock { $0.append(event) } }
    }
}

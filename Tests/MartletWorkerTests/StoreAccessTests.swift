import MartletStore
import Synchronization
import Testing

@testable import MartletWorker

@Suite struct StoreAccessTests {
    private let events = Events()
    private let access: StoreAccess
    private let full = StoreError(.full, "the disk is full")

    init() {
        let herald = Herald(logger: .silent, observer: { [events] in events.append($0) })
        access = StoreAccess(herald: herald) { _ in Issue.record("the worker ends") }
    }

    private var away: Int { events.count { if case .storeUnavailable = $0 { true } else { false } } }
    private var back: Int { events.count { if case .storeAvailable = $0 { true } else { false } } }

    @Test func `an outage is told once, however many calls fail and whichever others succeed`() {
        for _ in 0..<5 {
            #expect(access.failed(full, .settle))
            #expect(access.failed(full, .claim))
            for call in [.promote, .recover, .retain, .heartbeat] as [StoreAccess.Call] { access.succeeded(call) }
        }
        #expect(away == 1 && back == 0)
        access.succeeded(.claim)
        #expect(back == 0, "nothing can be settled yet")
        access.succeeded(.settle)
        #expect(away == 1 && back == 1)
    }

    @Test func `it is over when the same kind of call succeeds`() {
        _ = access.failed(full, .promote)
        access.succeeded(.recover)
        #expect(back == 0)
        access.succeeded(.promote)
        access.succeeded(.promote)
        #expect(away == 1 && back == 1)
        _ = access.failed(full, .promote)
        #expect(away == 2)
    }

    @Test func `a call that is not due for long does not keep it open once something was written`() {
        _ = access.failed(full, .claim)
        access.succeeded(.settle)
        #expect(away == 1 && back == 1)
    }
}

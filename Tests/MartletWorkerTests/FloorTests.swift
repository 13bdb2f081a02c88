import MartletCore
import MartletStore
import Testing

@testable import MartletWorker

@Suite struct FloorTests {
    private func floor(_ handlers: [Handler]) -> Floor {
        let herald = Herald(logger: .silent, observer: nil)
        let store = ScriptedStore()
        let settler = Settler(store: store, access: StoreAccess(herald: herald) { _ in }, herald: herald)
        return Floor(
            handlers: handlers, configuration: .quick, logger: .silent, herald: herald, settler: settler, emptied: Signal())
    }

    @Test func `a hint is passed on once what it is mostly about has been looked for`() async throws {
        let floor = floor([Handler(kind: "work", run: done)])
        floor.registered(WorkerID(rawValue: 1), at: .now)
        let session = try #require(floor.session)
        floor.hint()
        #expect(await floor.stirred.wait(atMost: .zero) == false, "somebody waits for the claim")
        guard case .claim = floor.next() else {
            Issue.record("it does not claim")
            return
        }
        #expect(await floor.stirred.wait(atMost: .zero) == false)
        floor.accept([], session: session, isCertain: false)
        #expect(await floor.stirred.wait(atMost: .zero))
        #expect(await floor.stirred.wait(atMost: .zero) == false, "once")
    }

    @Test func `a hint is passed on at once where nothing is claimed`() async {
        let floor = floor([])
        floor.hint()
        guard case .wait = floor.next() else {
            Issue.record("it claims nothing")
            return
        }
        #expect(await floor.stirred.wait(atMost: .zero))
    }
}

import MartletCore
import CMartletLinux
import Dispatch
import Foundation
import Synchronization

/// A thread that does one thing again and again, outside Swift's pool: it keeps its time however long handlers block there.
final class Beat: Sendable {
    private let wakeUp = DispatchSemaphore(value: 0)
    private let raised = Atomic(false)
    private let stopping = Atomic(false)
    private let ended = Signal()

    /// - Parameter step: returns how long to sleep; nil: until woken.
    func start(name: String, step: @escaping @Sendable () -> Duration?) {
        let thread = Thread { [self] in
            martlet_name_thread(name)
            while !stopping.load(ordering: .acquiring) { sleep(step()) }
            ended.raise()
        }
        thread.start()
    }

    func wake() {
        if !raised.exchange(true, ordering: .acquiringAndReleasing) { wakeUp.signal() }
    }

    /// Ends after the step under way, if any. Can be called again.
    func stop() {
        stopping.store(true, ordering: .releasing)
        wake()
    }

    /// - Returns: whether it has ended by then.
    func ends(within limit: Duration) async -> Bool { await ended.wait(atMost: limit) }

    private func sleep(_ time: Duration?) {
        if let time {
            _ = wakeUp.wait(timeout: .now() + .nanoseconds(Int(max(time, .zero).nanoseconds)))
        } else {
            wakeUp.wait()
        }
        raised.store(false, ordering: .releasing)
    }
}

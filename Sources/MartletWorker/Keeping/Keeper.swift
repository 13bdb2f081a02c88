import MartletCore
import MartletStore

/// Looks for workers that died, and removes what ended long ago. Any worker may do it, and all do: both are cheap when there is
/// nothing to find.
struct Keeper {
    let store: any JobStore
    let recovery: Recovery
    let access: StoreAccess
    let floor: Floor
    let herald: Herald
    let configuration: WorkerConfiguration
    /// The worker stops.
    let wake: Signal

    private static let piece = 1_000

    /// Where a lease has to end first, a little more does no harm.
    private var betweenLooks: Duration {
        store.seesDeath ? .seconds(1) : min(max(configuration.lease / 6, .milliseconds(100)), .seconds(5))
    }

    func run() async {
        var backoff = Backoff()
        var nextCleaning = Moment.now
        while !floor.isStopping {
            var pause = configuration.recovery ?? betweenLooks
            var call = StoreAccess.Call.recover
            do {
                _ = try await recovery.run()
                if .now >= nextCleaning {
                    // One piece at a time, so that recovery is never late; the next piece follows soon.
                    call = .retain
                    let removed = try await store.retain(configuration.retention, limit: Self.piece)
                    access.succeeded(.retain)
                    if removed > 0 { herald.tell(.removed(removed)) } else { nextCleaning = .now + configuration.cleaning }
                    if removed > 0 { pause = min(pause, .milliseconds(10)) }
                }
                backoff.reset()
            } catch {
                guard access.failed(error, call) else { return }
                pause = backoff.next(random: .random(in: 0..<1))
            }
            await wake.wait(atMost: pause)
        }
    }
}

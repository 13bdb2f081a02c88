import Foundation
import MartletCore

/// How many short jobs are under way at a time.
///
/// The concurrency says how many may run. While processors are the bottleneck, more under way make each of them slower: with
/// 2 000 jobs at a time that each wait a millisecond, 150 waited and 1 850 stood in the threads' queue, a job took ten
/// milliseconds, and when its turn came the processor's cache had lost its task. So short jobs (``Cost/isFast``) begin beyond
/// a small number only when a thread has nothing to do, and the number finds its own level:
///
/// - A runner that comes to its end while as many as ``limit`` are under way ends, and leaves the next job where it is, among
///   those that are claimed and not begun. Nothing is parked: what is cancelled, given back or lost finds these jobs where it
///   finds all that wait for the concurrency.
/// - The first thread that finds nothing to run says so before it waits (``HandlerThreads/whenIdle(_:)``): the limit rises, and
///   as many begin. Jobs that truly wait leave threads without work, and so they soon have the whole concurrency.
/// - While the threads are behind, each look of the watch lowers the limit.
///
/// Nobody starves: each kind has a share of what may begin anyway, whatever others are under way. A job that has outlasted the horizon is no longer counted, so handlers that go from piece to piece without
/// end make room for as many again with it, up to the concurrency. Kinds that are not known to be short are never held, nor
/// is what the threads here do little for (see ``Handler/crowds``), nor suspects, who are few. How long a job takes is measured with
/// what it waits for threads: of a kind whose first jobs come by the thousand and keep the threads for 50 ms each time, all begin.
struct Crowd: Equatable {
    /// So many per processor begin whatever the threads do: with 256 on two processors, jobs of a millisecond leave none
    /// of them idle, and all of it stays in their caches.
    static let perProcessor = 128
    /// Threads are behind when something has waited for one for so long.
    static let patience: Duration = .milliseconds(1)

    static var least: Int { perProcessor * ProcessInfo.processInfo.activeProcessorCount }

    private(set) var limit: Int
    private let least: Int
    private let most: Int

    /// - Parameter most: the concurrency.
    init(least: Int, most: Int) {
        precondition(least > 0 && most > 0)
        self.least = min(least, most)
        self.most = most
        limit = self.least
    }

    /// What each of so many kinds may always have under way.
    func share(_ kinds: Int) -> Int { max(least / max(kinds, 1), 1) }

    /// A thread has nothing to do while so many are under way and others wait: more begin, and one at least.
    mutating func idle(underWay: Int) {
        let now = max(limit, underWay)
        limit = min(now + max(now / 4, 1), most)
    }

    /// - Parameter lag: how long the first of what waits for a thread has done so.
    mutating func look(lag: Duration) {
        if lag > Self.patience { limit = max(limit - max(limit / 8, 1), least) }
    }
}

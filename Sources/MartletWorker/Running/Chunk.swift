import MartletCore
import MartletStore
import Synchronization

/// A lease as the worker holds it.
final class Chunk: Sendable {
    let lease: Lease
    /// Index of its handler.
    let kind: Int
    let session: Int
    let claimedAt: Moment
    /// Whether any of its jobs may be too late when its turn comes.
    let mayExpire: Bool
    /// Jobs whose ending has not been heard of.
    private let open: Atomic<Int>
    /// What its runs have in common.
    let common: HandlerCall.Common

    init(_ common: HandlerCall.Common, kind: Int, session: Int, claimedAt: Moment) {
        let lease = common.lease
        self.common = common
        mayExpire = lease.jobs.contains { $0.expiresIn != nil }
        open = Atomic(lease.jobs.count)
        self.lease = lease
        self.kind = kind
        self.session = session
        self.claimedAt = claimedAt
    }

    /// - Returns: how many are still to end.
    func ended(_ jobs: Int) -> Int { open.subtract(jobs, ordering: .relaxed).newValue }
}

/// Some jobs of a chunk, not begun.
struct Work: Sendable {
    let chunk: Chunk
    var range: Range<Int>
    var suspicion = Suspicion.none

    /// All jobs of a chunk, those apart that differ in suspicion.
    static func pieces(of chunk: Chunk) -> [Work] {
        let jobs = chunk.lease.jobs
        var pieces: [Work] = []
        var start = jobs.startIndex
        while start < jobs.endIndex {
            let suspicion = Suspicion(crashes: jobs[start].crashes)
            let end = jobs[start...].firstIndex { Suspicion(crashes: $0.crashes) != suspicion } ?? jobs.endIndex
            pieces.append(Work(chunk: chunk, range: start..<end, suspicion: suspicion))
            start = end
        }
        return pieces
    }

    var count: Int { range.count }

    /// Everything ended before it began.
    func settlements(_ ending: Ending, retry: RetryPolicy) -> [Settlement] {
        range.map { index in
            Settlement(
                lease: chunk.lease.id, index: index, ending: ending,
                maxAttempts: chunk.lease.jobs[index].maxAttempts ?? retry.maxAttempts, waited: .zero, ran: .zero)
        }
    }
}

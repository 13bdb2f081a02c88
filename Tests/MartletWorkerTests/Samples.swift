import MartletCore
import MartletStore
import Synchronization

@testable import MartletWorker

/// Milliseconds after an arbitrary beginning.
func at(_ milliseconds: Int64) -> Moment { Moment(nanoseconds: 1_000_000_000_000 + milliseconds * 1_000_000) }

func chunk(
    _ lease: Int64 = 1, kind: Int = 0, jobs: Int = 3, priority: Int = 5, session: Int = 1, maxAttempts: Int? = nil,
    attempt: Int = 1, crashes: Int = 0, timeout: Duration? = nil, expiresIn: Duration? = nil
) -> Chunk {
    let jobs = (0..<jobs).map {
        LeasedJob(
            id: JobID(rawValue: lease * 1_000 + Int64($0)), attempt: attempt, crashes: crashes, maxAttempts: maxAttempts,
            timeout: timeout, expiresIn: expiresIn, enqueuedAt: Timestamp(microseconds: 0), args: .emptyObject)
    }
    let lease = Lease(
        id: LeaseID(rawValue: lease), kind: "k\(kind)", queue: "default", priority: Priority(rawValue: priority)!, jobs: jobs
    )
    return chunk(of: lease, kind: kind, session: session)
}

func chunk(of lease: Lease, kind: Int = 0, session: Int = 1) -> Chunk {
    let common = HandlerCall.Common(lease: lease, maxAttempts: 25, timeout: nil, HandlerCall.Surroundings())
    return Chunk(common, kind: kind, session: session, claimedAt: at(0))
}

func work(_ chunk: Chunk, _ range: Range<Int>? = nil) -> Work {
    Work(chunk: chunk, range: range ?? chunk.lease.jobs.indices)
}

func settlement(_ lease: Int64 = 1, _ index: Int = 0, _ ending: Ending = .completed(result: nil)) -> Settlement {
    Settlement(
        lease: LeaseID(rawValue: lease), index: index, ending: ending, maxAttempts: 25, waited: .zero, ran: .zero)
}

let boom = JobError(type: "test", message: "boom")

extension Slot {
    var work: Work { state.withLock { $0.work } }
}

import HeapModule

/// What the runtime runs when a sleep is over, by the moment from which it may.
///
/// Two words each, and nothing that keeps a slot or its jobs alive: a sleep that is cancelled stays here until its time.
struct Sleeps {
    private struct Sleep: Comparable {
        let due: Moment
        let job: UnownedJob

        static func < (a: Sleep, b: Sleep) -> Bool { a.due < b.due }
        static func == (a: Sleep, b: Sleep) -> Bool { a.due == b.due }
    }

    private var heap = Heap<Sleep>()

    /// When the first is due.
    var first: Moment? { heap.min?.due }

    mutating func add(_ job: UnownedJob, due: Moment) { heap.insert(Sleep(due: due, job: job)) }

    /// - Returns: what is due by now, longest first, at most so many.
    mutating func take(now: Moment, most: Int) -> [UnownedJob] {
        var jobs: [UnownedJob] = []
        while jobs.count < most, let first, first <= now { jobs.append(heap.removeMin().job) }
        return jobs
    }
}

import HeapModule

/// What the runtime runs when a sleep is over, by the moment from which it may.
///
/// Two words each, and nothing that keeps a slot or its jobs alive: a sleep that is cancelled stays here until its time.
struct Sleeps {
    struct Sleep: Comparable {
        let due: Moment
        let job: UnownedJob

        static func < (a: Sleep, b: Sleep) -> Bool { a.due < b.due }
        static func == (a: Sleep, b: Sleep) -> Bool { a.due == b.due }
    }

    private var heap = Heap<Sleep>()

    /// When the first is due.
    var first: Moment? { heap.min?.due }

    mutating func add(_ job: UnownedJob, due: Moment) { heap.insert(Sleep(due: due, job: job)) }

    /// - Returns: what was due by then, longest first, at most so many.
    mutating func take(until: Moment, most: Int) -> [Sleep] {
        var taken: [Sleep] = []
        taken.reserveCapacity(min(heap.count, most))
        while taken.count < most, let first, first <= until { taken.append(heap.removeMin()) }
        return taken
    }
}

import MartletCore
import MartletStore
import Synchronization

/// What is not to run any more.
extension FloorState {
    /// A person asked for these. One that has ended meanwhile is left alone.
    ///
    /// Each slot is looked at once, however many requests there are: there may be very many of both.
    mutating func cancel(_ requests: [CancelRequest], now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        var wanted: [LeaseID: Set<Int>] = [:]
        for request in requests { wanted[request.lease, default: []].insert(request.index) }
        var released: [Work] = []
        for entry in entries.values {
            aftermath.looked += 1
            let (rest, isStopped) = entry.slot.state.withLock { slot -> (Work?, Bool) in
                guard let indexes = wanted[slot.work.chunk.lease.id] else { return (nil, false) }
                let isStopped = slot.runningIndex.map(indexes.contains) ?? false ? slot.stop(.cancelled, now: now) : false
                return (slot.work.range.contains(where: indexes.contains) ? slot.release() : nil, isStopped)
            }
            if let rest { released.append(rest) }
            if isStopped { stopped(entry.slot, &aftermath) }
        }
        putBack(released, &aftermath)
        for work in buffer.remove(wanted) {
            unbuffered(work)
            aftermath.settle += work.settlements(.cancelled, retry: handlers[work.chunk.kind].retry)
        }
        aftermath.start = fill()
        return aftermath
    }

    /// No more jobs begin; those that are claimed go back.
    mutating func stop() -> Aftermath {
        isStopping = true
        intake.stop()
        var aftermath = Aftermath()
        putBack(entries.values.map { entry in entry.slot.state.withLock { $0.release() } }, &aftermath)
        giveBack(&aftermath) { _ in true }
        return aftermath
    }

    mutating func interrupt(now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        for entry in entries.values where entry.slot.state.withLock({ $0.stop(.interrupted, now: now) }) {
            stopped(entry.slot, &aftermath)
        }
        return aftermath
    }

    mutating func giveBack(_ aftermath: inout Aftermath, where matches: (Work) -> Bool) {
        for work in buffer.removeAll(where: matches) {
            unbuffered(work)
            aftermath.settle += work.settlements(.givenBack, retry: handlers[work.chunk.kind].retry)
        }
    }
}

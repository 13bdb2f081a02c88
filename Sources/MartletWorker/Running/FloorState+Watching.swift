import MartletCore
import MartletStore
import Synchronization

/// What a look at everything that runs finds.
extension FloorState {
    /// Jobs in a slot behind one that already took this long go to other slots, and endings there to the settler.
    static let holdUp: Duration = .milliseconds(5)

    /// - Parameter lag: of the threads for coroutines.
    mutating func watch(lag: Duration = .zero, now: Moment) -> Aftermath {
        var aftermath = Aftermath()
        intake.look(lag: lag)
        for number in fresh { look(number, now: now, &aftermath) }
        while let number = alarms.popDue(now: now) { look(number, now: now, &aftermath) }
        let counts = intake
        paces.look(slots: { counts.slots($0) }, now: now)
        for kind in intake.stuck(now: now) { giveBack(&aftermath) { $0.chunk.kind == kind && $0.suspicion == .none } }
        putOff(now: now, &aftermath)
        aftermath.start = fill()
        return aftermath
    }

    /// What a kind did since the last look, where its limit depends on it. A process of its own says nothing of that.
    mutating func count(_ ended: [Settlement], of work: Work) {
        if work.suspicion != .grave { paces.count(ended, kind: work.chunk.kind) }
    }

    /// Judges what the last second showed.
    mutating func adapt(machine: AutoLimit.Machine, now: Moment) -> [Paces.Change] {
        let changes = paces.close(machine: machine, now: now)
        for (kind, limit) in paces.limits { intake.limit(kind, to: limit) }
        return changes
    }

    mutating func look(_ number: Int, now: Moment, _ aftermath: inout Aftermath) {
        guard let entry = entries[number] else { return }
        let handler = handlers[entry.kind]
        let seen = entry.slot.state.withLock { $0.look(now: now, holdUp: Self.holdUp, handler: handler) }
        aftermath.settle += seen.ended
        if entry.suspicion != .grave { paces.count(seen.ended, kind: entry.kind) }
        if let rest = seen.rest { putBack([rest], &aftermath) }
        if seen.isStopped { stopped(entry.slot, &aftermath) }
        if let index = seen.writtenOff {
            aftermath.abandoned.append((seen.chunk, index))
            remove(number)
            left(entry)
        } else if let startedAt = seen.startedAt, now >= startedAt + Cost.horizon {
            if !entry.isOverdue {
                entries[number]?.isOverdue = true
                intake.overdue(entry.kind)
            }
            if seen.isStopping { return }
            fresh.remove(number)
            if let moment = seen.timesOut { alarms.set(number, at: moment) }
        }
    }

    /// What holds a thread that others wait for.
    /// - Returns: what to tell of it.
    mutating func held(_ holds: [HandlerThreads.Hold], now: Moment) -> [BlockingKinds.Report] {
        holds.compactMap { hold in
            guard let entry = entries[hold.slot.number] else { return nil }
            let run = hold.slot.state.withLock { slot in
                slot.holds(since: hold.since).map { (slot.work.chunk.lease.jobs[$0.index].id, $0.since) }
            }
            guard let (job, since) = run else { return nil }
            let report = blocking.report(kind: entry.kind, job: job, since: since, now: now)
            if report?.moves ?? false { intake.moved(entry.kind) }
            return report
        }
    }

    /// Counts the threads that are held by slots which were written off.
    /// - Returns: where these are all there may be, since now.
    mutating func lost(coroutines: [HandlerThreads.Hold], blocking: [HandlerThreads.Hold]) -> [HandlerPlace] {
        [(HandlerPlace.coroutines, coroutines), (.blocking, blocking)].filter { place, holds in
            vitals.lost(holds.count { entries[$0.slot.number] == nil }, place)
        }.map(\.0)
    }
}

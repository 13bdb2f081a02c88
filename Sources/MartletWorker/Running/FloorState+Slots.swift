import MartletCore
import MartletStore
import Synchronization

/// Who runs what.
extension FloorState {
    /// Fills free slots with what is claimed.
    mutating func fill() -> [Slot] {
        var started: [Slot] = []
        while let work = take() {
            lastSlot += 1
            let slot = Slot(number: lastSlot, work: work, threads: threads(work))
            enter(slot, work)
            started.append(slot)
        }
        return started
    }

    func threads(_ work: Work) -> HandlerThreads { pools[blocking.place(of: work.chunk.kind)] }

    mutating func enter(_ slot: Slot, _ work: Work) {
        entries[slot.number] = Entry(slot: slot, kind: work.chunk.kind, suspicion: work.suspicion)
        fresh.insert(slot.number)
        alarms.remove(slot.number)
    }

    @discardableResult
    mutating func remove(_ number: Int) -> Entry? {
        fresh.remove(number)
        alarms.remove(number)
        return entries.removeValue(forKey: number)
    }

    /// Its job was told to stop, so that it may have to be written off soon.
    mutating func stopped(_ slot: Slot, _ aftermath: inout Aftermath) {
        aftermath.cancel.append(slot)
        fresh.insert(slot.number)
    }

    mutating func take() -> Work? {
        guard let work = Self.take(from: &buffer, intake, isSparing: isSparing) else { return nil }
        intake.took(work.chunk.kind, jobs: work.count, work.suspicion)
        return work
    }

    /// Apart, so that the counts are read where they are: this is done for each job that waits, and a copy is retained.
    private static func take(from buffer: inout JobBuffer, _ intake: borrowing IntakeState, isSparing: Bool) -> Work? {
        buffer.take { work in
            isSparing && work.suspicion == .slight ? 0 : intake.share(work.chunk.kind, work.suspicion)
        }
    }

    /// A runner is through with what it took.
    /// - Returns: what it does next; nil: it ends.
    mutating func again(_ slot: Slot, jobs: Int, total: Duration) -> Work? {
        guard let entry = entries[slot.number] else { return nil }
        left(entry, jobs: jobs, total: total)
        guard let work = take() else {
            remove(slot.number)
            return nil
        }
        if work.chunk.kind != entry.kind || handlers[entry.kind].onBlock == .move { slot.move(to: threads(work)) }
        // What is not overdue is looked at each time already, and has no alarm.
        let isAsBefore = work.chunk.kind == entry.kind && work.suspicion == entry.suspicion && !entry.isOverdue
        if !isAsBefore { enter(slot, work) }
        slot.state.withLock { $0.receive(work) }
        return work
    }

    mutating func left(_ entry: Entry, jobs: Int = 0, total: Duration = .zero) {
        // A process of its own says nothing of how long jobs of the kind take.
        if entry.suspicion != .grave { intake.measured(entry.kind, jobs: jobs, total: total) }
        intake.left(entry.kind, wasOverdue: entry.isOverdue, entry.suspicion)
    }

    /// A runner ends, its task being cancelled, or its slot written off.
    mutating func leave(_ slot: Slot, jobs: Int, total: Duration) -> Aftermath {
        var aftermath = Aftermath()
        guard let entry = remove(slot.number) else { return aftermath }
        left(entry, jobs: jobs, total: total)
        putBack([slot.state.withLock { $0.release() }], &aftermath)
        aftermath.start = fill()
        return aftermath
    }

    mutating func putBack(_ works: [Work], _ aftermath: inout Aftermath) {
        let works = works.filter { $0.count > 0 && $0.chunk.session == session?.number }
        if isStopping {
            for work in works { aftermath.settle += work.settlements(.givenBack, retry: handlers[work.chunk.kind].retry) }
        } else {
            buffer.putBack(works)
            for work in works { intake.buffered(work.chunk.kind, work.count, work.suspicion) }
        }
    }
}

/// What has been sent on one connection and not been answered, decided apart from libpq.
///
/// A *unit* is what one request sends: commands, then a sync. PostgreSQL runs it as one transaction: an error undoes all
/// of it, the rest of it is skipped up to the sync, and the next unit begins afresh. So whatever failed before its end has
/// had no effect, and may be sent again.
///
/// Each unit's *fate* is first to be *heard*. When its time is over or its task is cancelled it is *ending*: once the
/// server has come to it, it is cancelled there, and its answer still counts. If none comes within the grace it is
/// *unheard*: its caller was told that the outcome is unknown, and the answer will be dropped.
///
/// A cancel goes to the connection, not to a unit, and can hit the next one. So nothing more is sent while one is on its
/// way, and a unit that was hit by accident is sent again.
struct Pipeline<Unit, Answer> {
    enum Command: Equatable {
        case prepare(PreparedKey)
        case execute
        /// A question of the connection's own, whose answer is not the caller's.
        case aside
    }

    enum Arrival {
        case done(Answer)
        case failed(PQError)
        /// Skipped, because an earlier command of the unit failed.
        case skipped
        /// The sync at the unit's end.
        case end
    }

    enum Action {
        case none
        /// The statement is not prepared on the connection after all.
        case forget(PreparedKey)
        /// The answer to an aside.
        case learned(Answer)
        case finish(Unit, Result<[Answer], PQError>)
        /// Send again; a cancel that was meant for another has hit it.
        case again(Unit)
        /// Send again with its statements prepared anew: the session has them no more, or not in this form.
        case stale(Unit)
        /// This session cannot do it; another may.
        case elsewhere(Unit, PQError)
    }

    enum Overdue {
        /// Tell the caller that the outcome is unknown.
        case giveUp(Unit, PQError)
        /// The server has not even answered a cancel: the connection is of no use.
        case stuck
    }

    private enum Fate {
        case heard
        case ending(PQError.Code, until: Moment)
        /// And since when the server is known to be busy with it.
        case unheard(since: Moment?)
    }

    private struct Entry {
        let unit: Unit
        let commands: [Command]
        let deadline: Moment
        /// Uses the connection alone, outside pipeline mode.
        let isAlone: Bool
        let mayRepeat: Bool
        var next = 0
        var answers: [Answer] = []
        var flaw: PQError?
        var fate = Fate.heard
        /// Not before this moment is it cancelled (again).
        var cancelsFrom = Moment(nanoseconds: 0)
    }

    /// How long a unit whose time is over may still be answered.
    let grace: Duration
    /// How long after that the connection is given up, if this unit is what it is busy with.
    let patience: Duration
    let depth: Int

    private static var cancelInterval: Duration { .milliseconds(200) }

    private var entries = Fifo<Entry>()
    private var cancelsUnderway = 0
    private var isSuspect = false
    /// No fate changes before this moment.
    private(set) var nextEvent = Moment.never

    init(grace: Duration = .seconds(1), patience: Duration = .seconds(5), depth: Int = 1_024) {
        self.grace = grace
        self.patience = patience
        self.depth = depth
    }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var first: Unit? { entries.first?.unit }
    var isAlone: Bool { entries.first?.isAlone ?? false }

    func canTake(alone: Bool) -> Bool {
        guard !isSuspect, entries.count < depth else { return false }
        return alone ? entries.isEmpty : !isAlone
    }

    mutating func sent(
        _ unit: Unit, _ commands: [Command], deadline: Moment, alone: Bool = false, mayRepeat: Bool = true
    ) {
        entries.append(
            Entry(unit: unit, commands: commands, deadline: deadline, isAlone: alone, mayRepeat: mayRepeat))
        nextEvent = min(nextEvent, deadline)
    }

    // MARK: Answers

    mutating func receive(_ arrival: Arrival) -> Action {
        guard let entry = entries.first else { return .none }
        let command = entry.next < entry.commands.count ? entry.commands[entry.next] : nil
        switch arrival {
        case .done(let answer):
            entries.updateFirst { entry in
                entry.next += 1
                switch command {
                case .prepare, .aside: break
                case .execute, nil: entry.answers.append(answer)
                }
            }
            return command == .aside ? .learned(answer) : .none
        case .failed(let flaw):
            entries.updateFirst { entry in
                entry.next += 1
                entry.flaw = entry.flaw ?? flaw
            }
            return command.flatMap(Self.forgetting) ?? .none
        case .skipped:
            entries.updateFirst { $0.next += 1 }
            return command.flatMap(Self.forgetting) ?? .none
        case .end:
            return finishFirst()
        }
    }

    private static func forgetting(_ command: Command) -> Action? {
        switch command {
        case .prepare(let key): .forget(key)
        case .execute, .aside: nil
        }
    }

    private mutating func finishFirst() -> Action {
        guard let entry = entries.popFirst() else { return .none }
        let wasSuspect = isSuspect
        settleSuspicion()
        // An unheard one that is first now: from now on the server is busy with it.
        if case .unheard = entries.first?.fate { nextEvent = Moment(nanoseconds: 0) }
        if case .unheard = entry.fate { return .none }
        guard let flaw = entry.flaw else { return .finish(entry.unit, .success(entry.answers)) }
        switch entry.fate {
        case .heard:
            if !entry.isAlone, flaw.sqlState == SQLState.readOnly { return .elsewhere(entry.unit, flaw) }
            if entry.mayRepeat, flaw.isStalePlan { return .stale(entry.unit) }
            if wasSuspect, flaw.sqlState == SQLState.queryCancelled { return .again(entry.unit) }
            return .finish(entry.unit, .failure(flaw))
        case .ending(let code, _):
            guard flaw.sqlState == SQLState.queryCancelled else { return .finish(entry.unit, .failure(flaw)) }
            return .finish(entry.unit, .failure(PQError(code, code.shown, sqlState: flaw.sqlState)))
        case .unheard:
            return .none
        }
    }

    /// The connection is lost.
    /// - Returns: those whose callers still wait, oldest first.
    mutating func broke() -> [Unit] {
        let all = entries.removeAll()
        self = Pipeline(grace: grace, patience: patience, depth: depth)
        return all.compactMap { entry in
            switch entry.fate {
            case .heard, .ending: entry.unit
            case .unheard: nil
            }
        }
    }

    // MARK: Ends before the answer

    /// The caller's task was cancelled.
    mutating func cancel(now: Moment, where isMeant: (Unit) -> Bool) {
        let until = now + grace
        entries.updateAll { entry in
            guard isMeant(entry.unit), case .heard = entry.fate else { return }
            entry.fate = .ending(.cancelled, until: until)
        }
        nextEvent = min(nextEvent, until)
    }

    mutating func expire(now: Moment) -> [Overdue] {
        guard nextEvent <= now else { return [] }
        var overdue: [Overdue] = []
        var next = Moment.never
        let grace = grace
        let patience = patience
        var isFirst = true
        entries.updateAll { entry in
            if case .heard = entry.fate, entry.deadline <= now {
                entry.fate = .ending(.deadline, until: entry.deadline + grace)
            }
            if case .ending(let code, let until) = entry.fate, until <= now {
                entry.fate = .unheard(since: nil)
                overdue.append(.giveUp(entry.unit, .unanswered(code)))
            }
            if isFirst, entry.cancelsFrom > now { next = min(next, entry.cancelsFrom) }
            switch entry.fate {
            case .heard: next = min(next, entry.deadline)
            case .ending(_, let until): next = min(next, until)
            case .unheard(let since):
                guard isFirst else { break }
                let since = since ?? now
                entry.fate = .unheard(since: since)
                if since + patience <= now { overdue.append(.stuck) } else { next = min(next, since + patience) }
            }
            isFirst = false
        }
        nextEvent = next
        return overdue
    }

    /// Asked after every change: whether the server is at work on a unit that should end. A cancel can overtake the unit it
    /// is meant for, and finds the session idle then; so it is repeated until there is an answer.
    func mustCancel(now: Moment) -> Bool {
        guard let entry = entries.first, cancelsUnderway == 0, entry.cancelsFrom <= now else { return false }
        switch entry.fate {
        case .heard: return false
        case .ending, .unheard: return true
        }
    }

    mutating func cancelSent(now: Moment) {
        let again = now + Self.cancelInterval
        entries.updateFirst { $0.cancelsFrom = again }
        nextEvent = min(nextEvent, again)
        cancelsUnderway += 1
        isSuspect = true
    }

    mutating func cancelDone() {
        cancelsUnderway -= 1
        settleSuspicion()
    }

    /// A cancel that has been delivered finds an idle session and is forgotten there.
    private mutating func settleSuspicion() {
        if cancelsUnderway == 0, entries.isEmpty { isSuspect = false }
    }
}

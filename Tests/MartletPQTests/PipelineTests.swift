import Testing

@testable import MartletPQ

@Suite struct PipelineTests {
    private typealias Line = Pipeline<String, Int>
    private let start = Moment(nanoseconds: 1)
    private var later: Moment { start + .seconds(10) }

    private func line(_ units: String...) -> Line {
        var line = Line()
        for unit in units { line.sent(unit, [.execute], deadline: later) }
        return line
    }

    private func failure(_ state: String, routine: String? = nil) -> Line.Arrival {
        var error = PQError(.server, "no", sqlState: state)
        error.routine = routine
        return .failed(error)
    }

    /// What an action says, in a word.
    private func word(_ action: Line.Action) -> String {
        switch action {
        case .none: "-"
        case .forget(let key): "forget \(key.statement)"
        case .learned(let answer): "learned \(answer)"
        case .finish(let unit, .success(let answers)): "\(unit) \(answers)"
        case .finish(let unit, .failure(let error)): "\(unit) \(error.code) \(error.sqlState ?? "")"
        case .again(let unit): "\(unit) again"
        case .stale(let unit): "\(unit) stale"
        case .elsewhere(let unit, _): "\(unit) elsewhere"
        }
    }

    private func words(_ line: inout Line, _ arrivals: Line.Arrival...) -> [String] {
        arrivals.map { word(line.receive($0)) }.filter { $0 != "-" }
    }

    @Test func `answers go to the requests in the order they were sent`() {
        var line = line("a", "b")
        #expect(words(&line, .done(1), .end, .done(2), .end) == ["a [1]", "b [2]"])
        #expect(line.isEmpty)
    }

    @Test func `preparing is no answer`() {
        var line = Line()
        let key = PreparedKey(statement: 1, types: [])
        line.sent("a", [.prepare(key), .execute, .execute], deadline: later)
        #expect(words(&line, .done(0), .done(1), .done(2), .end) == ["a [1, 2]"])
    }

    @Test func `what the connection asks for itself is no answer to the caller`() {
        var line = Line()
        line.sent("a", [.aside, .execute], deadline: later)
        #expect(words(&line, .done(0), .done(1), .end) == ["learned 0", "a [1]"])
    }

    @Test func `an error ends its own request and forgets what it did not come to prepare`() {
        var line = Line()
        line.sent("a", [.execute, .prepare(PreparedKey(statement: 7, types: [])), .execute], deadline: later)
        line.sent("b", [.execute], deadline: later)
        #expect(
            words(&line, failure("23505"), .skipped, .skipped, .end, .done(2), .end)
                == ["forget 7", "a server 23505", "b [2]"])
    }

    @Test(arguments: [("26000", nil), ("42P05", nil), ("0A000", "RevalidateCachedQuery")])
    func `a lost or outdated statement is prepared anew once`(state: String, routine: String?) {
        var line = line("a")
        #expect(words(&line, failure(state, routine: routine), .end) == ["a stale"])
        line.sent("a", [.execute], deadline: later, mayRepeat: false)
        #expect(words(&line, failure(state, routine: routine), .end) == ["a server \(state)"])
    }

    @Test func `another feature that is missing is an error`() {
        var line = line("a")
        #expect(words(&line, failure("0A000", routine: "transformStmt"), .end) == ["a server 0A000"])
    }

    @Test func `a read-only session sends its requests elsewhere`() {
        var line = line("a", "b")
        #expect(words(&line, failure("25006"), .end, .done(1), .end) == ["a elsewhere", "b [1]"])
    }

    @Test func `a request whose time is over is cancelled once the server has come to it`() {
        var line = Line()
        line.sent("a", [.execute], deadline: later)
        line.sent("b", [.execute], deadline: start + .seconds(1))
        #expect(line.nextEvent == start + .seconds(1))
        #expect(line.expire(now: start + .seconds(1)).isEmpty)
        #expect(!line.mustCancel(now: start), "the server is still busy with the one before")
        #expect(words(&line, .done(1), .end) == ["a [1]"])
        #expect(line.mustCancel(now: start))
        line.cancelSent(now: start)
        #expect(!line.mustCancel(now: start))
        #expect(words(&line, failure("57014"), .end) == ["b deadline 57014"])
    }

    @Test func `an answer that comes although the time is over counts`() {
        var line = line("a")
        line.cancel(now: start) { $0 == "a" }
        #expect(line.mustCancel(now: start))
        line.cancelSent(now: start)
        #expect(words(&line, .done(1), .end) == ["a [1]"])
    }

    @Test func `while a cancel is on its way nothing is sent, and whom it hits by accident is sent again`() {
        var line = line("a", "b")
        line.cancel(now: start) { $0 == "a" }
        line.cancelSent(now: start)
        #expect(!line.canTake(alone: false))
        #expect(words(&line, .done(1), .end, failure("57014"), .end) == ["a [1]", "b again"])
        #expect(!line.canTake(alone: false), "it may still arrive")
        line.cancelDone()
        #expect(line.canTake(alone: false))
    }

    @Test func `a cancel that came too early is repeated, but never while one is on its way`() {
        var line = line("a")
        line.cancel(now: start) { $0 == "a" }
        line.cancelSent(now: start)
        let again = line.nextEvent
        #expect(again < start + line.grace)
        #expect(!line.mustCancel(now: again), "the first is still on its way")
        line.cancelDone()
        #expect(!line.mustCancel(now: start) && line.mustCancel(now: again))
        _ = line.expire(now: start + line.grace)
        #expect(line.mustCancel(now: start + line.grace), "also when its caller has given up: it keeps others waiting")
    }

    @Test func `a cancel by somebody else is an error`() {
        var line = line("a")
        #expect(words(&line, failure("57014"), .end) == ["a server 57014"])
    }

    @Test func `without an answer the outcome is unknown after the grace, and the connection given up later`() {
        var line = line("a")
        line.cancel(now: start) { $0 == "a" }
        let grace = line.nextEvent
        let overdue = line.expire(now: grace)
        guard overdue.count == 1, case .giveUp("a", let error) = overdue[0] else {
            Issue.record("\(overdue)")
            return
        }
        #expect(error.code == .unknownOutcome)
        #expect(line.nextEvent == grace + line.patience)
        guard case .stuck? = line.expire(now: line.nextEvent).first else {
            Issue.record("not stuck")
            return
        }
        #expect(line.broke() == [], "its caller has been told")
    }

    @Test func `a request that was given up and then answered says nothing more`() {
        var line = line("a", "b")
        line.cancel(now: start) { $0 == "a" }
        _ = line.expire(now: line.nextEvent)
        #expect(words(&line, .done(1), .end, .done(2), .end) == ["b [2]"])
    }

    @Test func `the server gets time for a given-up request from when it comes to it`() {
        var line = line("a", "b")
        line.cancel(now: start) { $0 == "b" }
        _ = line.expire(now: line.nextEvent)
        let muchLater = start + .seconds(9)
        #expect(words(&line, .done(1), .end) == ["a [1]"])
        #expect(line.nextEvent <= muchLater)
        #expect(line.expire(now: muchLater).isEmpty)
        #expect(line.nextEvent == muchLater + line.patience)
    }

    @Test func `a lost connection returns those that still wait`() {
        var line = line("a", "b")
        #expect(line.broke() == ["a", "b"])
        #expect(line.isEmpty && line.canTake(alone: true))
    }

    @Test func `a script has the connection for itself`() {
        var line = line("a")
        #expect(!line.canTake(alone: true))
        _ = words(&line, .done(1), .end)
        #expect(line.canTake(alone: true))
        line.sent("script", [], deadline: later, alone: true)
        #expect(!line.canTake(alone: false) && !line.canTake(alone: true))
        #expect(words(&line, .done(1), .done(2), .end) == ["script [1, 2]"])
    }

    @Test func `a full connection takes no more`() {
        var line = Line(depth: 2)
        line.sent("a", [.execute], deadline: later)
        #expect(line.canTake(alone: false))
        line.sent("b", [.execute], deadline: later)
        #expect(!line.canTake(alone: false))
    }
}

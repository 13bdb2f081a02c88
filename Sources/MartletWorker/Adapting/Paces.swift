import MartletCore
import MartletStore

/// The kinds whose limit is found while they run: what each does is counted, about once a second judged.
struct Paces {
    struct Change: Equatable {
        let kind: Int
        let decision: AutoLimit.Decision
    }

    private struct Pace {
        var auto: AutoLimit
        var meter: Meter
    }

    /// Longer than a second only when nobody looked, as nothing ran.
    static let window: Duration = .seconds(1)
    private static let longest: Duration = .seconds(3)

    private var paces: [Int: Pace] = [:]

    init(_ handlers: [Handler], concurrency: Int, blockingThreads: Int, processors: Int, now: Moment) {
        for (index, handler) in handlers.enumerated() where handler.adapts {
            let bounds = AutoLimit.Bounds(
                highest: handler.most(of: concurrency, blockingThreads: blockingThreads), isProcess: handler.usesProcesses)
            paces[index] = Pace(auto: AutoLimit(bounds: bounds, processors: processors), meter: Meter(now: now))
        }
    }

    var isEmpty: Bool { paces.isEmpty }

    subscript(kind: Int) -> AutoLimit? { paces[kind]?.auto }

    mutating func remember(_ limit: Int, kind: Int) { paces[kind]?.auto.remember(limit) }

    mutating func count(_ settlements: [Settlement], kind: Int) { paces[kind]?.meter.count(settlements) }

    mutating func look(slots: (Int) -> Int, now: Moment) {
        for kind in paces.keys { paces[kind]?.meter.look(slots: slots(kind), now: now) }
    }

    func isDue(now: Moment) -> Bool { paces.values.contains { $0.meter.length(now: now) >= Self.window } }

    /// Ends windows that are a second long.
    /// - Returns: what is to be told.
    mutating func close(machine: AutoLimit.Machine, now: Moment) -> [Change] {
        var changes: [Change] = []
        for (kind, pace) in paces where pace.meter.length(now: now) >= Self.window {
            let isWhole = pace.meter.length(now: now) <= Self.longest
            let window = paces[kind]?.meter.close(machine: machine, now: now)
            guard isWhole, let window, let decision = paces[kind]?.auto.close(window) else { continue }
            changes.append(Change(kind: kind, decision: decision))
        }
        return changes
    }

    /// The limits in force.
    var limits: [(kind: Int, limit: Int)] { paces.map { ($0.key, $0.value.auto.limit) } }
}

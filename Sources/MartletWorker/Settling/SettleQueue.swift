import MartletCore
import MartletStore

/// Endings on their way to the store. One flush at a time; what comes meanwhile goes with the next one.
///
/// A lease that is settled whole costs the store one write, in pieces several. So endings of a lease whose other jobs still run
/// are held back, for a moment: see ``hold(open:)``.
struct SettleQueue {
    private struct Held {
        let until: Moment
        var settlements: [Settlement] = []
    }

    /// How long the first ending waits for others of its lease: the longer, the more there are to come, since those that began
    /// together and take equally long also end together.
    static func hold(open: Int) -> Duration { min(.milliseconds(2) + .microseconds(10) * open, .milliseconds(20)) }
    /// In endings, each result counted with its size: bounds memory while the store is slow or away.
    static let capacity = 65_536
    /// Endings in one flush: bounds the store's transaction.
    static let flushSize = 8_192

    private var held: [LeaseID: Held] = [:]
    private var pending: [Settlement] = []
    private var weight = 0
    private var inFlight: [Settlement] = []
    /// Endings that were ever written, or given up, and with those that wait for nothing but their flush.
    private(set) var written = 0
    var mark: Int { written + inFlight.count + pending.count }

    var isFull: Bool { weight >= Self.capacity }
    var isEmpty: Bool { pending.isEmpty && held.isEmpty && inFlight.isEmpty }
    var count: Int { held.values.reduce(pending.count + inFlight.count) { $0 + $1.settlements.count } }
    /// Whether there is something to write, and nothing on its way.
    var isDue: Bool { !pending.isEmpty && inFlight.isEmpty }
    /// When what is held back is to be written at the latest.
    private(set) var due: Moment?

    /// What waits for nothing.
    mutating func add(_ settlements: [Settlement]) {
        pending.append(contentsOf: settlements)
        for settlement in settlements { weight += Self.weight(of: settlement) }
    }

    /// Some of one lease.
    /// - Parameter open: how many others of its jobs have not ended.
    mutating func add(_ settlements: [Settlement], of lease: LeaseID, open: Int, now: Moment) {
        guard open > 0 else {
            if let others = held.removeValue(forKey: lease) {
                put(others.settlements)
                lookWhatIsDue()
            }
            return add(settlements)
        }
        if held[lease]?.settlements.append(contentsOf: settlements) == nil {
            var first = Held(until: now + Self.hold(open: open))
            first.settlements.reserveCapacity(settlements.count + open)
            first.settlements.append(contentsOf: settlements)
            held[lease] = first
            due = min(due ?? first.until, first.until)
        }
        for settlement in settlements { weight += Self.weight(of: settlement) }
    }

    private mutating func lookWhatIsDue() { due = held.values.lazy.map(\.until).min() }

    /// Without a copy where there is nothing before it.
    private mutating func put(_ settlements: [Settlement]) {
        if pending.isEmpty { pending = settlements } else { pending.append(contentsOf: settlements) }
    }

    /// - Returns: what to write now; the same as before when the last flush failed.
    mutating func flush(now: Moment) -> [Settlement] {
        if inFlight.isEmpty {
            for (lease, others) in held where isFull || others.until <= now {
                put(others.settlements)
                held[lease] = nil
            }
            lookWhatIsDue()
            if pending.count <= Self.flushSize {
                swap(&inFlight, &pending)
            } else {
                inFlight = Array(pending.prefix(Self.flushSize))
                pending.removeFirst(Self.flushSize)
            }
        }
        return inFlight
    }

    /// The flush was written, or given up.
    mutating func flushed() -> [Settlement] {
        for settlement in inFlight { weight -= Self.weight(of: settlement) }
        written += inFlight.count
        defer { inFlight.removeAll(keepingCapacity: true) }
        return inFlight
    }

    private static func weight(of settlement: Settlement) -> Int {
        let ending =
            switch settlement.ending {
            case .completed(let result): 1 + (result?.utf8.count ?? 0) / 256
            case .retryable(let error, _), .crashed(let error, _), .failed(let error, _):
                1 + (error.message.utf8.count + (error.detail?.utf8.count ?? 0)) / 256
            case .snoozed, .cancelled, .givenBack: 1
            }
        return settlement.followUps.reduce(ending) { $0 + 1 + $1.args.utf8.count / 256 }
    }
}

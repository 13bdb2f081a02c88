import MartletCore
import MartletStore

/// Endings on their way to the store. One flush at a time; what comes meanwhile goes with the next one.
struct SettleQueue {
    /// In endings, each result counted with its size: bounds memory while the store is slow or away.
    static let capacity = 65_536
    /// Endings in one flush: bounds the store's transaction.
    static let flushSize = 8_192

    private var pending: [Settlement] = []
    private var weight = 0
    private var inFlight: [Settlement] = []

    var isFull: Bool { weight >= Self.capacity }
    var isEmpty: Bool { pending.isEmpty && inFlight.isEmpty }

    mutating func add(_ settlements: [Settlement]) {
        pending.append(contentsOf: settlements)
        for settlement in settlements { weight += Self.weight(of: settlement) }
    }

    /// - Returns: what to write now; the same as before when the last flush failed.
    mutating func flush() -> [Settlement] {
        if inFlight.isEmpty {
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

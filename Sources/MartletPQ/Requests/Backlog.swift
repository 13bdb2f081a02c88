/// Requests that wait for a connection: bounded, each with its deadline. Decided apart from clocks.
struct Backlog<Unit> {
    private var waiting = Fifo<(unit: Unit, deadline: Moment)>()
    let bound: Int
    /// Nothing expires before this moment.
    private(set) var nextEvent = Moment.never

    init(bound: Int) { self.bound = bound }

    var isEmpty: Bool { waiting.isEmpty }
    var first: Unit? { waiting.first?.unit }

    /// - Returns: false when there is no room.
    mutating func add(_ unit: Unit, deadline: Moment) -> Bool {
        guard waiting.count < bound else { return false }
        waiting.append((unit, deadline))
        nextEvent = min(nextEvent, deadline)
        return true
    }

    /// For one that had its turn and must have it again: always has room.
    mutating func giveBack(_ unit: Unit, deadline: Moment) {
        waiting.prepend((unit, deadline))
        nextEvent = min(nextEvent, deadline)
    }

    mutating func popFirst() -> Unit? { waiting.popFirst()?.unit }

    /// Those whose time is over; they leave.
    mutating func expire(now: Moment) -> [Unit] {
        guard nextEvent <= now else { return [] }
        let expired = waiting.removeAll { $0.deadline <= now }
        nextEvent = waiting.map(\.deadline).min() ?? .never
        return expired.map(\.unit)
    }

    mutating func remove(where isMeant: (Unit) -> Bool) -> [Unit] {
        waiting.removeAll { isMeant($0.unit) }.map(\.unit)
    }

    mutating func removeAll() -> [Unit] { waiting.removeAll().map(\.unit) }
}

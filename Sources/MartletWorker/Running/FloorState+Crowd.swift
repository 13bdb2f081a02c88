import MartletCore
import MartletStore

/// Jobs that wait for a thread without work: see ``Crowd``.
extension FloorState {
    /// Asked for after all that may leave jobs held back. Whoever is told so has to ask the threads, once: they forget it when
    /// they have said it.
    /// - Returns: whether jobs are held back and the threads were not asked yet.
    mutating func begunHolding() -> Bool {
        guard !isHolding, holdsBack else { return false }
        isHolding = true
        return true
    }

    /// A thread has nothing to do.
    mutating func idle() -> Aftermath {
        isHolding = false
        if holdsBack { intake.idle() }
        var aftermath = Aftermath()
        aftermath.start = fill()
        return aftermath
    }

    private var holdsBack: Bool {
        guard intake.isCrowd else { return false }
        return buffer.entries.contains { intake.holdsBack($0.chunk.kind, $0.suspicion) }
    }
}

import MartletCore
import MartletStore

/// Jobs whose worker died under them, and whose turn does not come here.
extension FloorState {
    /// How long suspects wait for their turn here, and at least how long they are then left to others.
    static let suspectsWait: Duration = .seconds(10)
    static let longestPut: Duration = .seconds(3_600)

    /// Suspects whose turn does not come here: other workers shall have theirs. Given back they would be claimed again at once,
    /// and again; a drain has to see them end.
    mutating func putOff(now: Moment, _ aftermath: inout Aftermath) {
        guard !intake.isDraining else { return }
        for work in buffer.removeAll(where: { $0.suspicion != .none && now >= $0.chunk.claimedAt + Self.suspectsWait }) {
            unbuffered(work)
            putOff(work, now: now, &aftermath)
        }
    }

    /// When a worker with very many jobs dies, they are all suspects. They come back one after the other, about as fast as they
    /// can be run, since each time costs the store a row.
    mutating func putOff(_ work: Work, now: Moment, _ aftermath: inout Aftermath) {
        for index in work.range {
            let next = max(putOffUntil[work.suspicion] ?? now, now + Self.suspectsWait)
            putOffUntil[work.suspicion] = min(
                next + .seconds(1) / intake.limit(work.suspicion), now + Self.longestPut)
            let one = Work(chunk: work.chunk, range: index..<index + 1)
            aftermath.settle += one.settlements(.snoozed(next - now), retry: handlers[work.chunk.kind].retry)
        }
    }
}

import CMartletLinux
import MartletCore
import Synchronization

/// What a thread of ``HandlerThreads`` is at, for whoever is called on it.
///
/// `@unchecked`: the thread's own note leads to it, and nothing else does, so it is used by its thread alone.
final class RunThread: @unchecked Sendable {
    /// Threads count their pieces from different numbers on, so that no two have one in common. After 8 million threads the
    /// numbers of the first ones come again.
    private static let begun = Atomic(0)
    private static let most = 1 << 40

    private let pool: ObjectIdentifier
    private var piece: Int
    /// When the sleep was due that is being ended.
    private var due: Moment?
    /// The pieces that ended sleeps have brought.
    private(set) var brought: [ThreadsState.Piece] = []

    /// Begins to be what the calling thread is at.
    init(of pool: HandlerThreads) {
        self.pool = ObjectIdentifier(pool)
        piece = Self.begun.add(1, ordering: .relaxed).newValue &* Self.most
        martlet_set_thread_note(Unmanaged.passUnretained(self).toOpaque())
    }

    func end() { martlet_set_thread_note(nil) }

    private static var current: RunThread? {
        martlet_thread_note().map { Unmanaged<RunThread>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The number of the piece that runs on the calling thread; 0: it is none of these threads. A task that finds another
    /// number than before has been suspended meanwhile.
    static var currentPiece: Int { current?.piece ?? 0 }

    /// Whether the calling thread is one of these.
    static func isOne(of pool: HandlerThreads) -> Bool { current?.pool == ObjectIdentifier(pool) }

    func run(_ piece: ThreadsState.Piece) {
        self.piece += 1
        piece.job.runSynchronously(on: piece.slot.asUnownedTaskExecutor())
    }

    /// What the ended sleeps bring is kept in ``brought``.
    func fire(_ sleeps: [Sleeps.Sleep]) {
        let executor = globalConcurrentExecutor.asUnownedTaskExecutor()
        for sleep in sleeps {
            due = sleep.due
            sleep.job.runSynchronously(on: executor)
        }
        due = nil
    }

    func clear() { brought.removeAll(keepingCapacity: true) }

    /// Whether the calling thread ends sleeps and keeps the piece by itself.
    static func keeps(_ job: UnownedJob, of slot: Slot, for pool: HandlerThreads) -> Bool {
        guard let current, let due = current.due, current.pool == ObjectIdentifier(pool) else { return false }
        // It has waited since then.
        current.brought.append(ThreadsState.Piece(job: job, slot: slot, since: due))
        return true
    }
}

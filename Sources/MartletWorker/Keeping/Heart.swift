import MartletCore
import MartletStore
import Synchronization

/// Keeps the leases alive, from a thread of its own: handlers that block every thread of the pool do not make it late.
///
/// While jobs run it beats every second, though a third of the lease would keep them: the reply also carries the requests to
/// cancel, and a person who cancels a job shall not wait long. One small write a second is cheaper than asking whenever
/// something hints at a change, which under load is all the time. An idle worker beats every third of its lease.
final class Heart: Sendable {
    private let store: any JobStore
    private let access: StoreAccess
    private let floor: Floor
    private let beat = Beat()
    private let lease: Duration
    private let last = Mutex(Moment(nanoseconds: 0))
    /// Of the registration that it is about.
    private let pace = Mutex((session: 0, pace: ReportPace()))

    init(store: any JobStore, access: StoreAccess, floor: Floor, lease: Duration) {
        self.store = store
        self.access = access
        self.floor = floor
        self.lease = lease
    }

    private static let busy: Duration = .seconds(1)

    func start() {
        beat.start(name: "martlet-heart") { [self] in
            let interval = min(Self.busy, lease / 3)
            guard let session = floor.session else { return interval }
            let due = last.withLock { $0 } + (floor.isEmpty ? lease / 3 : interval)
            // A registration is a renewal as well.
            let next = max(due, session.registeredAt + interval)
            guard next <= .now else { return min(next - .now, interval) }
            return renew(session) ? interval : interval / 4
        }
    }

    func stop() { beat.stop() }

    func ends(within limit: Duration) async -> Bool { await beat.ends(within: limit) }

    /// - Returns: whether the store could be asked.
    private func renew(_ session: FloorState.Session) -> Bool {
        let startedAt = Moment.now
        let report = dueReport(session, now: startedAt)
        do {
            let reply = try store.heartbeat(session.worker, report: report?.json)
            access.succeeded(.heartbeat)
            if let report { written(report, now: startedAt) }
            last.withLock { $0 = startedAt }
            guard reply.alive else {
                floor.lose(session: session.number, .declaredDead)
                return true
            }
            floor.renewed(session: session.number, startedAt: startedAt)
            floor.cancel(reply.cancelled)
            return true
        } catch {
            if !access.failed(error, .heartbeat) { beat.stop() }
            return false
        }
    }

    // MARK: What the worker says of itself

    private func dueReport(_ session: FloorState.Session, now: Moment) -> WorkerReport? {
        let report = floor.report()
        return pace.withLock { state in
            if state.session != session.number { state = (session.number, ReportPace()) }
            return state.pace.isDue(report, now: now) ? report : nil
        }
    }

    private func written(_ report: WorkerReport, now: Moment) {
        pace.withLock { $0.pace.written(report, now: now) }
        floor.reported()
    }
}

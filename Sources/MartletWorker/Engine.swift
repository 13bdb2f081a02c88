import Logging
import MartletCore
import MartletStore
import Synchronization

/// Puts the parts of a worker together, starts them, and ends them in order.
///
/// The parts are tasks and threads of their own, and do not see the cancellation of the task that runs the worker: stopping is
/// an order, claims first, the registration last, and each wait in it has a bound.
final class Engine: Sendable {
    private let store: any JobStore
    private let hasStarted = Atomic(false)
    private let configuration: WorkerConfiguration
    private let herald: Herald
    private let access: StoreAccess
    private let settler: Settler
    private let floor: Floor
    private let progress: ProgressBoard
    private let heart: Heart
    private let control: Control
    private let memory: MemoryWatch?
    private let keeperWake = Signal()
    private let claimerPause = Signal()

    init(
        store: any JobStore, handlers: [Handler], configuration: WorkerConfiguration, logger: Logger,
        observer: (@Sendable (WorkerEvent) -> Void)?
    ) {
        precondition(Set(handlers.map(\.kind)).count == handlers.count, "two handlers for one kind")
        self.store = store
        self.configuration = configuration
        let control = Control()
        self.control = control
        let herald = Herald(logger: logger, observer: observer)
        self.herald = herald
        let access = StoreAccess(herald: herald) { control.fail($0) }
        self.access = access
        settler = Settler(store: store, access: access, herald: herald)
        progress = ProgressBoard(store: store, access: access)
        floor = Floor(
            handlers: handlers, configuration: configuration, logger: logger, herald: herald, settler: settler,
            progress: progress, emptied: control.hurried)
        let settler = settler
        memory = configuration.maxMemory.map { limit in
            MemoryWatch(limit: limit, hasWorked: { settler.tally.settled > 0 }) { excess in
                guard control.recycle(excess) else { return }
                herald.tell(.memoryExceeded(resident: excess.resident, limit: excess.limit))
            }
        }
        heart = Heart(store: store, access: access, floor: floor, lease: configuration.lease)
    }

    var tally: WorkerTally { settler.tally }

    func stop(_ mode: StopMode) { control.stop(mode) }

    func run() async throws {
        precondition(!hasStarted.exchange(true, ordering: .relaxed), "a worker runs once")
        herald.tell(.started(name: configuration.name, kinds: floor.handlers.map(\.kind)))
        let parts = start()
        let mode = await control.order()
        herald.tell(.stopping(mode))
        await end(parts, mode)
        herald.tell(.stopped(tally))
        if let failure = control.failure { throw failure }
        if let excess = control.excess { throw excess }
    }

    // MARK: Starting

    private struct Parts {
        let hints: HintWatch
        let claimer: Task<Void, Never>
        let promoter: Task<Void, Never>
        let keeper: Task<Void, Never>
        let settler: Task<Void, Never>
        let progress: Task<Void, Never>
    }

    private func start() -> Parts {
        floor.watch.start(name: "martlet-watch") { [floor] in floor.look() }
        heart.start()
        memory?.start()
        let recovery = Recovery(store: store, access: access, floor: floor, herald: herald)
        let claimer = Claimer(
            store: store, access: access, floor: floor, herald: herald, recovery: recovery, configuration: configuration,
            pause: claimerPause
        ) { [control] in control.stop(.graceful) }
        let promoter = Promoter(
            store: store, access: access, floor: floor, herald: herald, poll: configuration.poll, wake: floor.stirred)
        let keeper = Keeper(
            store: store, recovery: recovery, access: access, floor: floor, herald: herald, configuration: configuration,
            wake: keeperWake)
        return Parts(
            hints: store.onHint({ [floor] in floor.hint() }, ended: {}),
            claimer: Task.detached { await claimer.run() },
            promoter: Task.detached { await promoter.run() },
            keeper: Task.detached { await keeper.run() },
            settler: Task.detached { [settler, floor] in await settler.run { floor.lose(leases: $0) } },
            progress: Task.detached { [progress, floor] in await progress.run { floor.lose(leases: $0) } })
    }

    // MARK: Ending

    /// How long the calls of the store that are under way, and then the last flush, may hold up the end. While the store is
    /// away only long enough to find it back: nothing is lost, leases end by themselves.
    private var patience: Duration { access.isOut ? .seconds(1) : .seconds(5) }

    private func end(_ parts: Parts, _ mode: StopMode) async {
        memory?.stop()
        floor.stop()
        claimerPause.raise()
        floor.stirred.raise()
        keeperWake.raise()
        parts.hints.end()
        await emptyFloor(mode)
        // A claim that was under way gives back what it brought, so its end comes before the last flush.
        progress.close()
        let loops = [parts.claimer, parts.promoter, parts.keeper, parts.progress]
        let end = Moment.now + patience
        for loop in loops { _ = await loop.ends(within: max(end - .now, .zero)) }
        _ = await settler.flushed(within: patience)
        let unsettled = settler.close()
        if unsettled > 0 { herald.tell(.unsettled(unsettled)) }
        heart.stop()
        floor.watch.stop()
        floor.close()
        let last = Moment.now + patience
        _ = await parts.settler.ends(within: max(last - .now, .zero))
        _ = await heart.ends(within: max(last - .now, .zero))
        await deregister()
    }

    /// Waits until nothing runs: for the grace, then for what is left after its cancellation, which the watch bounds by writing
    /// off what does not end.
    private func emptyFloor(_ mode: StopMode) async {
        let graceEnds = Moment.now + configuration.grace
        while !floor.isEmpty, control.mode == .graceful, graceEnds > .now {
            await control.hurried.wait(atMost: graceEnds - .now)
        }
        floor.interrupt()
        let unwind = floor.handlers.map(\.unwind).max() ?? .zero
        let bound = Moment.now + unwind + patience
        while !floor.isEmpty, bound > .now { await control.hurried.wait(atMost: bound - .now) }
    }

    private func deregister() async {
        guard let worker = floor.session?.worker else { return }
        let call = Task.detached { [store, access] in
            do throws(StoreError) {
                try await store.deregister(worker)
            } catch {
                // The registration expires by itself; others recover what it held.
                _ = access.failed(error, .deregister)
            }
        }
        _ = await call.ends(within: patience)
    }
}

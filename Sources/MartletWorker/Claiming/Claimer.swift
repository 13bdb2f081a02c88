import MartletCore
import MartletStore

/// Registers the worker and keeps it supplied: does what ``IntakeState`` decides, until it says stop.
struct Claimer {
    let store: any JobStore
    let access: StoreAccess
    let floor: Floor
    let herald: Herald
    let recovery: Recovery
    let configuration: WorkerConfiguration
    /// Raised when the worker stops, so that it need not wait out an outage.
    let pause: Signal
    /// Ends the worker, when it was to be drained.
    let drained: @Sendable () -> Void

    func run() async {
        var backoff = Backoff()
        var due: Duration?
        var isGoing = true
        var hasRemembered = false
        var decided: IntakeState.Action?
        while isGoing {
            guard let session = floor.session else {
                if floor.isStopping { return }
                if !hasRemembered {
                    hasRemembered = await remember(&backoff, &isGoing)
                    continue
                }
                isGoing = await register(&backoff)
                continue
            }
            switch decided.take() ?? floor.next() {
            case .claim(let plan):
                isGoing = await answered(await ask(plan, session), plan, session, &backoff)
            case .wait(let until):
                switch await vigil.keep(until, session, ask) {
                case .decided(let action): decided = action
                case .answered(let answer, let plan): isGoing = await answered(answer, plan, session, &backoff)
                }
            case .confirmQuiet:
                isGoing = await confirmQuiet(&backoff, &due)
            case .drained:
                herald.tell(.drained(await leftovers(), next: due))
                drained()
                return
            case .stopped:
                return
            }
        }
    }

    /// Before the own registration, which is the newest of its name from then on.
    /// - Returns: whether it is done.
    private func remember(_ backoff: inout Backoff, _ isGoing: inout Bool) async -> Bool {
        guard floor.remembers else { return true }
        do {
            let text = try await store.lastReport(name: configuration.name, host: WorkerConfiguration.host)
            access.succeeded(.remember)
            if let report = text.flatMap(WorkerReport.init) { floor.remember(report) }
            return true
        } catch {
            isGoing = await waitOut(error, .remember, &backoff)
            return false
        }
    }

    private func register(_ backoff: inout Backoff) async -> Bool {
        do {
            // What it holds goes back by its own word: nobody died, so none of those jobs is to be suspected of having killed it.
            if let abandoned = floor.abandoned { try await store.deregister(abandoned) }
            let startedAt = Moment.now
            let worker = try await store.register(
                configuration.registration(kinds: floor.handlers.map(\.kind), report: floor.report().json))
            access.succeeded(.register)
            backoff.reset()
            floor.registered(worker, at: startedAt)
            herald.tell(.registered(worker))
            return true
        } catch {
            return await waitOut(error, .register, &backoff)
        }
    }

    private var vigil: Vigil { Vigil(store: store, access: access, floor: floor, herald: herald, poll: configuration.poll) }

    private func ask(_ plan: IntakeState.Plan, _ session: FloorState.Session) async -> Vigil.Answer {
        let request = ClaimRequest(
            worker: session.worker,
            wants: plan.wants.map { ClaimRequest.Want(kind: floor.handlers[$0.kind].kind, limit: $0.limit) },
            queues: configuration.queues, limit: plan.limit)
        do throws(StoreError) { return .success(try await store.claim(request)) } catch { return .failure(error) }
    }

    private func answered(
        _ answer: Vigil.Answer, _ plan: IntakeState.Plan, _ session: FloorState.Session, _ backoff: inout Backoff
    ) async -> Bool {
        do {
            let leases = try answer.get()
            access.succeeded(.claim)
            backoff.reset()
            if !leases.isEmpty {
                herald.tell(.claimed(leases: leases.count, jobs: leases.reduce(0) { $0 + $1.jobs.count }))
            }
            vigil.accept(leases, plan, session)
            if floor.isSparing, await until({ await floor.settler.wroteDue(within: $0) }) { floor.spared() }
            return true
        } catch {
            floor.unanswered()
            // It may have been granted, and while this registration lives nobody else would look after its jobs.
            if error.code == .unknown { floor.lose(session: session.number, .unansweredClaim) }
            return await waitOut(error, .claim, &backoff)
        }
    }

    /// Drain: an ending on its way may be a retry that is due at once, a worker that died may have left jobs, and a delayed one
    /// may have become due. Asked in the direction in which jobs move, with the claim as the last: what leaves one place
    /// after it was looked at is found in the next.
    /// - Parameter due: told how long the next delayed job waits, where one does.
    private func confirmQuiet(_ backoff: inout Backoff, _ due: inout Duration?) async -> Bool {
        guard await until({ await floor.settler.flushed(within: $0) }) else { return true }
        let recovered: Int
        do {
            recovered = try await recovery.run()
        } catch {
            floor.confirmed(moved: nil)
            return await waitOut(error, .recover, &backoff)
        }
        do {
            let reply = try await store.promote(limit: Limits.enqueueBatch)
            let moved = reply.moved
            due = reply.nextDue
            access.succeeded(.promote)
            if moved > 0 { herald.tell(.promoted(moved)) }
            floor.confirmed(moved: recovered + moved)
            return true
        } catch {
            floor.confirmed(moved: nil)
            return await waitOut(error, .promote, &backoff)
        }
    }

    /// - Returns: false when the worker stops before.
    private func until(_ isWritten: (Duration) async -> Bool) async -> Bool {
        while !(await isWritten(configuration.poll)) {
            if floor.isStopping || floor.settler.isClosed { return false }
        }
        return true
    }

    /// nil when that cannot be learned, which is no reason not to end.
    private func leftovers() async -> Leftovers? {
        do {
            return Leftovers(try await store.stats(), queues: configuration.queues)
        } catch {
            _ = access.failed(error, .claim)
            return nil
        }
    }

    /// - Returns: whether to go on.
    private func waitOut(_ error: StoreError, _ call: StoreAccess.Call, _ backoff: inout Backoff) async -> Bool {
        guard access.failed(error, call) else { return false }
        await pause.wait(atMost: backoff.next(random: .random(in: 0..<1)))
        return true
    }
}

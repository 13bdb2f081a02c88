import MartletCore
import MartletPQ
import MartletStore
import Synchronization

/// Tells listeners that there may be something new: by this process at once, by others through NOTIFY.
final class Hints: Sendable {
    private struct State {
        /// Whether somebody else's NOTIFY arrives here.
        var hears = false
        var isSubscribed = false
        var subscription: PQListening?
        var echo: Task<Void, Never>?
        /// How often in a row we have looked again by ourselves.
        var echoes = 0
        var claimers: [WorkerID: Claimer] = [:]
        var isClosed = false
    }

    private struct Claimer {
        var foundAt: ContinuousClock.Instant?
        /// Its last claim found nothing, had told producers to notify, and none was at work who may have looked before.
        var sleepsSoundly = false
    }

    private let client: PQClient
    private let board = HintBoard()
    private let channel: String
    private let conninfo: Conninfo?
    private let remark: @Sendable (String) -> Void
    private let state = Mutex(State())

    private static let echoDelay: Duration = .milliseconds(1)
    private static let maxEchoes = 7
    /// Between a find and the first claim that asks to be notified.
    private static let pause: Duration = .milliseconds(1)

    /// - Parameter remark: told when there will never be a notification.
    init(_ client: PQClient, channel: String, conninfo: Conninfo?, remark: @escaping @Sendable (String) -> Void) {
        self.client = client
        self.remark = remark
        self.channel = channel
        self.conninfo = conninfo
    }

    // MARK: Claims

    /// Whether a worker's next claim asks to be notified when it finds nothing. Not at once after a find: while work keeps
    /// coming, every moment without would make somebody notify, and commits wait for each other.
    func sleeps(_ worker: WorkerID) -> Bool {
        !board.isEmpty
            && state.withLock { state in
                guard state.hears else { return false }
                return state.claimers[worker]?.foundAt.map { $0 + Self.pause <= .now } ?? true
            }
    }

    func found(_ worker: WorkerID) {
        state.withLock { state in
            state.claimers[worker] = Claimer(foundAt: .now)
            state.echoes = 0
        }
    }

    /// - Parameters:
    ///   - slept: what ``sleeps(_:)`` said before.
    ///   - isUncertain: a transaction in progress may append something although it saw nobody sleep.
    func foundNothing(_ worker: WorkerID, slept: Bool, isUncertain: Bool) {
        let mustEcho = state.withLock { state in
            state.claimers[worker, default: Claimer()].sleepsSoundly = slept && !isUncertain
            if slept && !isUncertain { state.echoes = 0 }
            return state.hears && (isUncertain || !slept)
        }
        if mustEcho { echo() }
    }

    func forget(_ worker: WorkerID) { state.withLock { _ = $0.claimers.removeValue(forKey: worker) } }

    /// Whether all who wait here are notified of whatever comes.
    var areCertain: Bool {
        state.withLock { state in
            state.hears && !state.claimers.isEmpty && state.claimers.values.allSatisfy(\.sleepsSoundly)
        }
    }

    // MARK: Listening

    func listen(_ tell: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) -> HintWatch {
        let watch = board.listen(tell, ended: ended)
        let isFirst = state.withLock { state in
            defer { state.isSubscribed = true }
            return !state.isSubscribed && !state.isClosed
        }
        if isFirst { subscribe() }
        return watch
    }

    private func subscribe() {
        let listening = client.listen([channel], conninfo: conninfo) { [weak self] in self?.heard($0) }
        let isClosed = state.withLock { state in
            state.subscription = listening
            return state.isClosed
        }
        if isClosed { listening.end() }
    }

    private func heard(_ notice: Notice) {
        switch notice {
        case .listening:
            state.withLock { $0.hears = true }
            // What came before we listened may have been missed.
            announce()
        case .notification: announce()
        case .lost:
            let heard = state.withLock { state in
                defer { state.hears = false }
                return state.hears
            }
            // Those who relied on it go back to polling.
            if heard { announce() }
        case .deaf: remark(deafness)
        }
    }

    private var deafness: String {
        let place = (conninfo ?? client.options.conninfo).shown
        return "\(place) is a pooler, where LISTEN means nothing: new jobs of other processes are found by polling. "
            + "Name the server's own address to listen at, or pooler=session in the URL if that is how it pools"
    }

    func announce() {
        state.withLock { $0.echoes = 0 }
        board.announce()
    }

    /// Look again soon; a few times, each one more after twice as long.
    private func echo() {
        state.withLock { state in
            guard state.echo == nil, state.echoes < Self.maxEchoes, !state.isClosed else { return }
            state.echoes += 1
            let delay = Self.echoDelay * (1 << state.echoes)
            state.echo = Task { [weak self] in
                do { try await Task.sleep(for: delay) } catch { return }
                self?.endEcho()
            }
        }
    }

    private func endEcho() {
        state.withLock { $0.echo = nil }
        board.announce()
    }

    func close() {
        let (subscription, echo) = state.withLock { state in
            state.isClosed = true
            return (state.subscription, state.echo)
        }
        echo?.cancel()
        subscription?.end()
        board.close()
    }
}

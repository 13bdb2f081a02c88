import MartletCore
import MartletStore

/// Which kinds run where, and what has been said of those that block.
struct BlockingKinds {
    struct Report: Equatable {
        let kind: String
        let job: JobID
        let held: Duration
        /// The kind's runs get threads of their own from now on.
        let moves: Bool
    }

    /// A kind that blocks does so in job after job; one line now and then is enough.
    private static let silence: Duration = .seconds(10)

    private struct Kind {
        var place: HandlerPlace
        let onBlock: OnBlock
        let name: String
        var toldAt: Moment?
        var last: (job: JobID, held: Duration)?
        var hasMoved = false
    }

    private var kinds: [Kind]

    init(_ handlers: [Handler]) {
        kinds = handlers.map { handler in
            let place: HandlerPlace =
                switch handler.executor {
                case .coroutine, .process: .coroutines
                case .blocking: .blocking
                }
            return Kind(place: place, onBlock: handler.onBlock, name: handler.kind)
        }
    }

    func place(of kind: Int) -> HandlerPlace { kinds[kind].place }

    func describe(_ report: inout WorkerReport.Kind, kind index: Int) {
        let kind = kinds[index]
        report.blocked = kind.last.map { WorkerReport.Block(job: $0.job.rawValue, ms: Int($0.held.milliseconds)) }
        if kind.hasMoved { report.moved = true }
    }

    /// A job of the kind holds a thread that others wait for.
    /// - Returns: what to tell; nil: the same was told a moment ago.
    mutating func report(kind index: Int, job: JobID, since: Moment, now: Moment) -> Report? {
        let kind = kinds[index]
        let moves: Bool =
            switch (kind.onBlock, kind.place) {
            case (.move, .coroutines): true
            case (.move, .blocking), (.warn, _): false
            }
        if moves {
            kinds[index].place = .blocking
            kinds[index].hasMoved = true
        }
        kinds[index].last = (job, now - since)
        if let toldAt = kind.toldAt, now < toldAt + Self.silence, !moves { return nil }
        kinds[index].toldAt = now
        return Report(kind: kind.name, job: job, held: now - since, moves: moves)
    }
}

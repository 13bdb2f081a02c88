import Foundation

/// The threads of a worker's handlers.
struct HandlerPools: Sendable {
    /// For coroutines: as many as the machine has processors.
    let coroutines: HandlerThreads
    /// For handlers that block.
    let blocking: HandlerThreads

    init(blockingThreads: Int = 64) {
        coroutines = HandlerThreads(name: "martlet-run", width: ProcessInfo.processInfo.activeProcessorCount)
        blocking = HandlerThreads(name: "martlet-block", width: blockingThreads)
    }

    func close() {
        coroutines.close()
        blocking.close()
    }

    subscript(place: HandlerPlace) -> HandlerThreads {
        switch place {
        case .coroutines: coroutines
        case .blocking: blocking
        }
    }
}

/// On which threads jobs of a kind run.
enum HandlerPlace: Sendable {
    case coroutines, blocking
}

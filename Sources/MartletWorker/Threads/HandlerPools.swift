import Foundation
import MartletCore

/// The threads of a worker's handlers.
struct HandlerPools: Sendable {
    /// For coroutines: as many as the machine has processors.
    let coroutines: HandlerThreads
    /// For handlers that block. That they hold their threads is what these are for, so nothing takes the place of those.
    let blocking: HandlerThreads

    /// What handlers that block where they should not may hold without being in others' way.
    private static let reserve = 64

    init(blockingThreads: Int = Limits.defaultBlockingThreads) {
        coroutines = HandlerThreads(
            name: "martlet-run", width: ProcessInfo.processInfo.activeProcessorCount, reserve: Self.reserve)
        blocking = HandlerThreads(name: "martlet-block", width: blockingThreads, reserve: 0)
    }

    /// So many threads there may be.
    var most: [HandlerPlace: Int] { [.coroutines: coroutines.most, .blocking: blocking.most] }

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
package enum HandlerPlace: String, Sendable {
    case coroutines, blocking
}

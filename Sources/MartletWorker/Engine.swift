import Logging
import MartletCore
import MartletStore

final class Engine: Sendable {
    let tally = WorkerTally()
    init(
        store: any JobStore, handlers: [Handler], configuration: WorkerConfiguration, logger: Logger,
        observer: (@Sendable (WorkerEvent) -> Void)?
    ) {}
    func run() async throws {}
    func stop(_ mode: StopMode) {}
}

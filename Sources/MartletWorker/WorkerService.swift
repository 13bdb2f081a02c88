import Logging
import MartletStore
import ServiceLifecycle

/// One worker: claims jobs of the kinds it has handlers for, runs them, settles how they ended.
///
/// ``run()`` ends after a graceful shutdown or cancellation of its task, when drained, or with the first error of the store
/// that waiting cannot cure. It can be run once.
package final class WorkerService: Service {
    private let engine: Engine

    /// - Parameter observer: see ``WorkerEvent``.
    package init(
        store: any JobStore, handlers: [Handler], configuration: WorkerConfiguration, logger: Logger,
        observer: (@Sendable (WorkerEvent) -> Void)? = nil
    ) {
        engine = Engine(store: store, handlers: handlers, configuration: configuration, logger: logger, observer: observer)
    }

    package var tally: WorkerTally { engine.tally }

    package func run() async throws {
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await engine.run()
            } onGracefulShutdown: {
                self.engine.stop(.graceful)
            }
        } onCancel: {
            engine.stop(.now)
        }
    }

    /// Begins to stop without a service group around.
    package func stop(_ mode: StopMode) { engine.stop(mode) }
}

import Foundation
import Glibc
import MartletCore
import MartletStore
import MartletWorker

/// The sign of life of a bench, also while none of its workers works: what it made is not taken for left behind.
///
/// It is a worker like any other, and so one that nobody ends ends with its lease, or with its process.
struct BenchPresence {
    let name: BenchName
    let store: any BenchStore

    private static let lease: Duration = .seconds(30)
    private static let renewal: Duration = .seconds(8)

    /// Registers, does something, and lets go of it again, however that ends.
    func during<Value: Sendable>(_ body: @Sendable () async -> Value) async throws(StoreError) -> Value {
        let worker = try await register()
        let renewing = Task { await renew(worker) }
        let value = await body()
        renewing.cancel()
        try await store.deregister(await renewing.value)
        return value
    }

    private func register() async throws(StoreError) -> WorkerID {
        try await store.register(
            WorkerRegistration(
                name: name.description, host: WorkerConfiguration.host, pid: Int(getpid()), version: Version.current,
                kinds: [BenchName.kind], queues: [name.queue(0)], concurrency: 1, lease: Self.lease))
    }

    /// - Returns: the registration that holds at the end.
    private func renew(_ worker: WorkerID) async -> WorkerID {
        var worker = worker
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.renewal) } catch { break }
            do {
                if try await !heartbeat(worker).alive { worker = try await register() }
            } catch {
                // The database is away, which what is measured will say; the next renewal finds it again.
                continue
            }
        }
        return worker
    }

    /// It blocks its thread.
    private func heartbeat(_ worker: WorkerID) async throws -> HeartbeatReply {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { [store] in
                continuation.resume(with: Result { try store.heartbeat(worker) })
            }
        }
    }
}

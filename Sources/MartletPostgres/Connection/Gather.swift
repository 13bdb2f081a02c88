import MartletStore
import Synchronization

/// Carries out the items of many callers as one: what arrives while a batch is on its way shares the next.
final class Gather<Item: Sendable, Answer: Sendable>: Sendable {
    private struct Call {
        let items: [Item]
        let resume: @Sendable (Result<[Answer], StoreError>) -> Void
    }

    private struct State {
        var waiting: [Call] = []
        var isBusy = false
    }

    private let state = Mutex(State())
    private let limit: Int
    /// An answer per item, in order.
    private let body: @Sendable ([Item]) async throws(StoreError) -> [Answer]

    init(limit: Int, _ body: @escaping @Sendable ([Item]) async throws(StoreError) -> [Answer]) {
        self.limit = limit
        self.body = body
    }

    func perform(_ items: [Item]) async throws(StoreError) -> [Answer] {
        let result: Result<[Answer], StoreError> = await withUnsafeContinuation { continuation in
            let mustStart = state.withLock { state in
                state.waiting.append(Call(items: items) { continuation.resume(returning: $0) })
                defer { state.isBusy = true }
                return !state.isBusy
            }
            if mustStart { Task { await work() } }
        }
        return try result.get()
    }

    private func work() async {
        while let batch = next() { await carryOut(batch) }
    }

    /// As many calls as fit, the oldest first, at least one.
    private func next() -> [Call]? {
        state.withLock { state in
            var count = 0
            let batch = state.waiting.prefix { call in
                defer { count += call.items.count }
                return count == 0 || count + call.items.count <= limit
            }
            state.waiting.removeFirst(batch.count)
            if batch.isEmpty { state.isBusy = false }
            return batch.isEmpty ? nil : Array(batch)
        }
    }

    private func carryOut(_ batch: [Call]) async {
        do throws(StoreError) {
            var answers = try await body(batch.count == 1 ? batch[0].items : batch.flatMap(\.items))[...]
            for call in batch {
                call.resume(.success(Array(answers.prefix(call.items.count))))
                answers = answers.dropFirst(call.items.count)
            }
        } catch {
            // One that cannot be done must not take the others with it; what may pass, or may have happened, is told to all.
            if batch.count == 1 || error.isTransient {
                for call in batch { call.resume(.failure(error)) }
            } else {
                for call in batch { await carryOut([call]) }
            }
        }
    }
}

import MartletStore
import Synchronization

/// Carries out the items of many callers as one: what arrives while batches are on their way shares the next.
///
/// Two batches may be on their way: the server works on one while the other's commit waits for the disk, and large batches
/// keep two of its processes busy. Whoever finds nobody else here goes at once, in his own task.
final class Gather<Item: Sendable, Answer: Sendable>: Sendable {
    private struct Call {
        let items: [Item]
        let resume: @Sendable (Result<[Answer], StoreError>) -> Void
    }

    private struct State {
        var waiting: [Call] = []
        /// Calls in each batch under way.
        var flights: [Int] = []
    }

    private static var mostFlights: Int { 2 }

    private let state = Mutex(State())
    private let limit: Int
    /// An answer per item, in order.
    private let body: @Sendable ([Item]) async throws(StoreError) -> [Answer]

    init(limit: Int, _ body: @escaping @Sendable ([Item]) async throws(StoreError) -> [Answer]) {
        self.limit = limit
        self.body = body
    }

    func perform(_ items: [Item]) async throws(StoreError) -> [Answer] {
        let isAlone = state.withLock { state in
            guard state.waiting.isEmpty, state.flights.isEmpty else { return false }
            state.flights = [1]
            return true
        }
        if isAlone { return try await goAlone(items) }
        let result: Result<[Answer], StoreError> = await withUnsafeContinuation { continuation in
            let batch = state.withLock { state in
                state.waiting.append(Call(items: items) { continuation.resume(returning: $0) })
                return next(&state)
            }
            if let batch { Task { await work(batch) } }
        }
        return try result.get()
    }

    private func goAlone(_ items: [Item]) async throws(StoreError) -> [Answer] {
        let result: Result<[Answer], StoreError>
        do throws(StoreError) { result = .success(try await body(items)) } catch { result = .failure(error) }
        if let batch = land(calls: 1) { Task { await work(batch) } }
        return try result.get()
    }

    private func work(_ first: [Call]) async {
        var batch = first
        while true {
            await carryOut(batch)
            // Those who have their answers now may be back at once with more: all of them together, not the fastest alone.
            if batch.count > 1 { await Task.yield() }
            guard let following = land(calls: batch.count) else { return }
            batch = following
        }
    }

    /// A batch has come back.
    /// - Returns: the next one.
    private func land(calls: Int) -> [Call]? {
        state.withLock { state in
            if let index = state.flights.firstIndex(of: calls) { state.flights.remove(at: index) }
            return next(&state)
        }
    }

    /// As many calls as fit, the oldest first, at least one; but not more than an equal share of all that are here, so that
    /// batches under way at the same time are of a size.
    private func next(_ state: inout State) -> [Call]? {
        guard !state.waiting.isEmpty, state.flights.count < Self.mostFlights else { return nil }
        let share = (state.waiting.count + state.flights.reduce(0, +) + Self.mostFlights - 1) / Self.mostFlights
        var count = 0
        let batch = Array(
            state.waiting.prefix(share).prefix { call in
                defer { count += call.items.count }
                return count == 0 || count + call.items.count <= limit
            })
        state.waiting.removeFirst(batch.count)
        state.flights.append(batch.count)
        return batch
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

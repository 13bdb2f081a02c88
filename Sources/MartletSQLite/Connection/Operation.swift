import GRDB
import MartletStore

/// A look that may spare an operation its transaction.
struct Skip<T: Sendable>: Sendable {
    /// nil: the operation is needed.
    let answer: @Sendable (Database) throws -> T?
}

/// One thing to be done by the writer, whatever it returns.
class Operation: @unchecked Sendable {
    // Sendable: made by its caller, then touched only by the writer thread, or by whoever took it out of the queue.
    let durability: Writer.Durability

    init(_ durability: Writer.Durability) { self.durability = durability }

    /// Whether there is nothing to do, with the answer already known.
    func isAnswered(_ db: Database) -> Bool { fatalError("overridden") }
    /// Operations with the same key are carried out as one, by the first of them. nil: never.
    var mergeKey: ObjectIdentifier? { nil }
    /// Throws only when the whole transaction is lost; a failure of its own is kept as the answer.
    /// - Parameter others: of the same merge key.
    func run(_ db: Database, with others: [Operation], alone: Bool, path: String) throws { fatalError("overridden") }
    func fail(_ error: StoreError) { fatalError("overridden") }
    /// Hands the answer over.
    func deliver() { fatalError("overridden") }

    final func finish(_ error: StoreError) {
        fail(error)
        deliver()
    }

    /// A group's operations in order, those that can be merged gathered at the place of their first.
    static func merged(_ group: [Operation]) -> [(lead: Operation, others: [Operation])] {
        var units: [(lead: Operation, others: [Operation])] = []
        var places: [ObjectIdentifier: Int] = [:]
        for operation in group {
            if let key = operation.mergeKey {
                if let place = places[key] {
                    units[place].others.append(operation)
                    continue
                }
                places[key] = units.count
            }
            units.append((operation, []))
        }
        return units
    }
}

final class Request<T: Sendable>: Operation, @unchecked Sendable {
    private let skip: Skip<T>?
    private let body: @Sendable (Database) throws -> T
    private let handOver: @Sendable (Result<T, StoreError>) -> Void
    private var answer: Result<T, StoreError>?

    init(
        _ durability: Writer.Durability, _ skip: Skip<T>?, _ body: @escaping @Sendable (Database) throws -> T,
        _ handOver: @escaping @Sendable (Result<T, StoreError>) -> Void
    ) {
        self.skip = skip
        self.body = body
        self.handOver = handOver
        super.init(durability)
    }

    override func isAnswered(_ db: Database) -> Bool {
        guard let skip else { return false }
        do {
            guard let known = try skip.answer(db) else { return false }
            answer = .success(known)
            return true
        } catch {
            // The body meets the same trouble, inside a transaction that can report it.
            return false
        }
    }

    override func run(_ db: Database, with others: [Operation], alone: Bool, path: String) throws {
        if alone {
            answer = .success(try body(db))
            return
        }
        try db.run("savepoint operation")
        do {
            answer = .success(try body(db))
        } catch {
            guard db.isInsideTransaction else { throw error }
            try db.run("rollback to operation")
            answer = .failure(StoreError(error, path: path))
        }
        try db.run("release operation")
    }

    override func fail(_ error: StoreError) { answer = .failure(error) }

    override func deliver() { handOver(answer!) }
}

/// A way to carry out the items of many callers at once. One instance for each thing that is done so.
final class Merge<Item: Sendable, Answer: Sendable>: Sendable {
    /// An answer per item, in order.
    let body: @Sendable ([Item], Database) throws -> [Answer]

    init(_ body: @escaping @Sendable ([Item], Database) throws -> [Answer]) { self.body = body }
}

final class MergedRequest<Item: Sendable, Answer: Sendable>: Operation, @unchecked Sendable {
    private let items: [Item]
    private let merge: Merge<Item, Answer>
    private let handOver: @Sendable (Result<[Answer], StoreError>) -> Void
    private var answer: Result<[Answer], StoreError>?

    init(
        _ items: [Item], _ merge: Merge<Item, Answer>,
        _ handOver: @escaping @Sendable (Result<[Answer], StoreError>) -> Void
    ) {
        self.items = items
        self.merge = merge
        self.handOver = handOver
        super.init(.synced)
    }

    override var mergeKey: ObjectIdentifier? { ObjectIdentifier(merge) }

    override func isAnswered(_ db: Database) -> Bool { false }

    /// An error here fails the transaction, and each caller's items are then tried alone.
    override func run(_ db: Database, with others: [Operation], alone: Bool, path: String) throws {
        // Only a request of this very type can hold the same merge.
        let all = [self] + others.map { unsafeDowncast($0, to: MergedRequest.self) }
        var answers = try merge.body(all.count == 1 ? items : all.flatMap(\.items), db)[...]
        for request in all {
            request.answer = .success(Array(answers.prefix(request.items.count)))
            answers = answers.dropFirst(request.items.count)
        }
    }

    override func fail(_ error: StoreError) { answer = .failure(error) }

    override func deliver() { handOver(answer!) }
}

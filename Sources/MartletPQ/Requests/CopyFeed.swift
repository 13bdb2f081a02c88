/// The data of one COPY between its producer and the connection: one chunk at a time, so that a producer that is faster
/// than the server waits.
final class CopyFeed: @unchecked Sendable {
    // Sendable: made by the caller, from then on touched by whoever holds the helm.
    enum Ending: Equatable { case complete, abandoned(String) }

    private var chunk: (bytes: [UInt8], taken: @Sendable (Bool) -> Void)?
    private var ending: Ending?
    private var isOver = false

    /// - Parameter taken: told whether more is wanted, once this chunk is with the operating system.
    func offer(_ bytes: [UInt8], taken: @escaping @Sendable (Bool) -> Void) {
        guard !isOver, ending == nil else { return taken(false) }
        chunk = (bytes, taken)
    }

    func end(_ ending: Ending) { self.ending = self.ending ?? ending }

    var pending: [UInt8]? { chunk?.bytes }
    var pendingEnd: Ending? { chunk == nil ? ending : nil }

    func chunkTaken() {
        let taken = chunk?.taken
        chunk = nil
        taken?(ending == nil && !isOver)
    }

    /// The request has ended: whoever produces must stop.
    func finish() {
        isOver = true
        chunkTaken()
    }
}

/// First in, first out, without moving the rest at each step.
struct PieceQueue {
    private var pieces: [ThreadsState.Piece?] = []
    private var head = 0

    var count: Int { pieces.count - head }
    var first: ThreadsState.Piece? { head < pieces.count ? pieces[head] : nil }

    mutating func append(_ piece: ThreadsState.Piece) { pieces.append(piece) }

    mutating func popFirst() -> ThreadsState.Piece? {
        guard head < pieces.count else { return nil }
        defer {
            pieces[head] = nil
            head += 1
            if head == pieces.count {
                pieces.removeAll(keepingCapacity: true)
                head = 0
            } else if head > 1_024, head * 2 > pieces.count {
                pieces.removeFirst(head)
                head = 0
            }
        }
        return pieces[head]
    }
}

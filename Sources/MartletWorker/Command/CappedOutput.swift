/// What is kept of a stream of any length: its beginning or its end, in bounded memory.
package struct CappedOutput: Sendable {
    package enum Part {
        case head, tail
    }

    private let part: Part
    private let limit: Int
    private var kept: [UInt8] = []
    /// Bytes that came, kept or not.
    package private(set) var count = 0

    package init(_ part: Part, limit: Int) {
        self.part = part
        self.limit = limit
    }

    /// The same without anything in it.
    var emptied: CappedOutput { CappedOutput(part, limit: limit) }

    package var isCut: Bool { count > limit }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        count += bytes.count
        switch part {
        case .head:
            kept.append(contentsOf: bytes.prefix(limit - kept.count))
        case .tail:
            kept.append(contentsOf: bytes.suffix(limit))
            // Cut in large steps: moving the rest down for each small piece would cost the square of the output.
            if kept.count > 2 * limit { kept.removeFirst(kept.count - limit) }
        }
    }

    package var bytes: ArraySlice<UInt8> {
        switch part {
        case .head: kept[...]
        case .tail: kept.suffix(limit)
        }
    }
}

/// First in, first out; both ends in constant time.
struct Fifo<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    /// For what goes back to where it came from.
    mutating func prepend(_ element: Element) {
        guard head > 0 else { return elements.insert(element, at: 0) }
        head -= 1
        elements[head] = element
    }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        defer {
            head += 1
            // The dead part is never more than half.
            if head > 64, head * 2 > elements.count {
                elements.removeFirst(head)
                head = 0
            }
        }
        return elements[head].take()
    }

    mutating func removeAll() -> [Element] {
        defer { self = Fifo() }
        return Array(self)
    }

    mutating func removeAll(where isGone: (Element) -> Bool) -> [Element] {
        let all = removeAll()
        elements = all.filter { !isGone($0) }
        return all.filter(isGone)
    }

    /// Changes the first in place.
    mutating func updateFirst(_ change: (inout Element) -> Void) {
        guard !isEmpty else { return }
        change(&elements[head]!)
    }

    mutating func updateAll(_ change: (inout Element) -> Void) {
        for index in head..<elements.count { change(&elements[index]!) }
    }
}

extension Fifo: Sequence {
    struct Iterator: IteratorProtocol {
        fileprivate var rest: ArraySlice<Element?>

        mutating func next() -> Element? { rest.popFirst() ?? nil }
    }

    func makeIterator() -> Iterator { Iterator(rest: elements[head...]) }
}

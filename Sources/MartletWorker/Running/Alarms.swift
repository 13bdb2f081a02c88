/// When to look at which slot again, or what else has a number: the soonest first.
///
/// A slot has one alarm, the last one set; those set before it are dropped when their time comes, or earlier when they have
/// become the most part.
struct Alarms {
    private struct Alarm {
        let moment: Moment
        let slot: Int
    }

    /// A binary heap.
    private var heap: [Alarm] = []
    private var current: [Int: Moment] = [:]

    mutating func set(_ slot: Int, at moment: Moment) {
        current[slot] = moment
        heap.append(Alarm(moment: moment, slot: slot))
        rise(heap.count - 1)
        if heap.count > 2 * current.count + 1_024 { rebuild() }
    }

    mutating func remove(_ slot: Int) { current[slot] = nil }

    /// - Returns: a slot whose time has come; its alarm is gone.
    mutating func popDue(now: Moment) -> Int? {
        while let first = heap.first, first.moment <= now {
            dropFirst()
            guard current[first.slot] == first.moment else { continue }
            current[first.slot] = nil
            return first.slot
        }
        return nil
    }

    /// When the next one goes off.
    mutating func next() -> Moment? {
        while let first = heap.first {
            if current[first.slot] == first.moment { return first.moment }
            dropFirst()
        }
        return nil
    }

    private mutating func rebuild() {
        heap = current.map { Alarm(moment: $0.value, slot: $0.key) }
        // Sorted is a heap, too.
        heap.sort { $0.moment < $1.moment }
    }

    private mutating func dropFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        sink(0)
    }

    private mutating func rise(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].moment < heap[parent].moment else { return }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].moment < heap[least].moment {
                least = child
            }
            guard least != index else { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}

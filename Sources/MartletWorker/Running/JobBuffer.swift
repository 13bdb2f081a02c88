import MartletCore
import MartletStore

/// Jobs that are claimed and not begun: the most urgent first, then in the order they came.
///
/// A handful of entries, one per lease (or per piece of one), so plain scans are right.
struct JobBuffer {
    private(set) var entries: [Work] = []

    mutating func append(_ work: Work) {
        guard !work.range.isEmpty else { return }
        let priority = work.chunk.lease.priority
        let index = entries.firstIndex { $0.chunk.lease.priority > priority } ?? entries.endIndex
        entries.insert(work, at: index)
    }

    /// Jobs that had been taken and were not begun go before others of their priority.
    mutating func putBack(_ works: [Work]) {
        let works = works.filter { !$0.range.isEmpty }
        guard !works.isEmpty else { return }
        entries = works + entries
        // What is equal keeps its order.
        entries.sort { $0.chunk.lease.priority < $1.chunk.lease.priority }
    }

    /// - Parameter share: how many of these jobs one taker may have now; zero: none.
    mutating func take(share: (Work) -> Int) -> Work? {
        for index in entries.indices {
            let share = share(entries[index])
            guard share > 0 else { continue }
            let entry = entries[index]
            let taken = entry.range.prefix(share)
            let rest = taken.upperBound..<entry.range.upperBound
            if rest.isEmpty { entries.remove(at: index) } else { entries[index].range = rest }
            return Work(chunk: entry.chunk, range: taken, suspicion: entry.suspicion)
        }
        return nil
    }

    /// Takes certain jobs out.
    mutating func remove(_ wanted: [LeaseID: Set<Int>]) -> [Work] {
        guard entries.contains(where: { wanted[$0.chunk.lease.id] != nil }) else { return [] }
        var removed: [Work] = []
        var kept: [Work] = []
        for entry in entries {
            guard let indexes = wanted[entry.chunk.lease.id] else {
                kept.append(entry)
                continue
            }
            var start = entry.range.lowerBound
            while start < entry.range.upperBound {
                let isWanted = indexes.contains(start)
                let end = entry.range[start...].firstIndex { indexes.contains($0) != isWanted } ?? entry.range.upperBound
                let piece = Work(chunk: entry.chunk, range: start..<end, suspicion: entry.suspicion)
                if isWanted { removed.append(piece) } else { kept.append(piece) }
                start = end
            }
        }
        entries = kept
        return removed
    }

    mutating func removeAll(where matches: (Work) -> Bool = { _ in true }) -> [Work] {
        let removed = entries.filter(matches)
        guard !removed.isEmpty else { return [] }
        entries.removeAll(where: matches)
        return removed
    }
}

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
    mutating func putBack(_ work: Work) {
        guard !work.range.isEmpty else { return }
        let priority = work.chunk.lease.priority
        let index = entries.firstIndex { $0.chunk.lease.priority >= priority } ?? entries.endIndex
        entries.insert(work, at: index)
    }

    /// - Parameter share: how many jobs of a kind one taker may have now; zero: none.
    mutating func take(share: (Int) -> Int) -> Work? {
        for index in entries.indices {
            let share = share(entries[index].chunk.kind)
            guard share > 0 else { continue }
            let entry = entries[index]
            let taken = entry.range.prefix(share)
            let rest = taken.upperBound..<entry.range.upperBound
            if rest.isEmpty { entries.remove(at: index) } else { entries[index].range = rest }
            return Work(chunk: entry.chunk, range: taken)
        }
        return nil
    }

    /// Takes one certain job out.
    mutating func remove(_ lease: LeaseID, _ job: Int) -> Work? {
        guard let index = entries.firstIndex(where: { $0.chunk.lease.id == lease && $0.range.contains(job) }) else {
            return nil
        }
        let entry = entries.remove(at: index)
        let pieces = [entry.range.lowerBound..<job, job + 1..<entry.range.upperBound].filter { !$0.isEmpty }
        entries.insert(contentsOf: pieces.map { Work(chunk: entry.chunk, range: $0) }, at: index)
        return Work(chunk: entry.chunk, range: job..<job + 1)
    }

    mutating func removeAll(where matches: (Chunk) -> Bool = { _ in true }) -> [Work] {
        let removed = entries.filter { matches($0.chunk) }
        entries.removeAll { matches($0.chunk) }
        return removed
    }
}

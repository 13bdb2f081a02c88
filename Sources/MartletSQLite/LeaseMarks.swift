import GRDB
import MartletCore
import MartletStore

/// What a lease row says of each of its jobs, as the two blobs it is stored in: a byte for how it ended, two 32-bit floats
/// for when. A job is named by its index; its place in the log is `first` plus its offset.
struct LeaseMarks {
    enum Mark: UInt8 {
        /// Runs, or was not done when the lease was revoked.
        case open = 0
        case completed = 1
        case retryable = 2
        case snoozed = 3
        case failed = 4
        case cancelled = 5
        case givenBack = 6
        case crashed = 7
    }

    private(set) var endings: [UInt8]
    private(set) var times: [UInt8]

    init(count: Int, endings: [UInt8]?, times: [UInt8]?) throws {
        self.endings = endings ?? [UInt8](repeating: Mark.open.rawValue, count: count)
        self.times = times ?? [UInt8](repeating: 0, count: count * 8)
        guard self.endings.count == count, self.times.count == count * 8 else {
            throw StoreError.damaged("a lease's marks do not fit its jobs")
        }
    }

    subscript(index: Int) -> Mark { Mark(rawValue: endings[index]) ?? .open }

    mutating func set(_ index: Int, _ mark: Mark, _ seconds: (waited: Float32, ran: Float32)) {
        endings[index] = mark.rawValue
        store(seconds.waited, at: index * 8)
        store(seconds.ran, at: index * 8 + 4)
    }

    func waited(_ index: Int) -> Duration { .seconds(Double(load(at: index * 8))) }
    func ran(_ index: Int) -> Duration { .seconds(Double(load(at: index * 8 + 4))) }

    private mutating func store(_ value: Float32, at offset: Int) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes in
            for (index, byte) in bytes.enumerated() { times[offset + index] = byte }
        }
    }

    private func load(at offset: Int) -> Float32 {
        let bits = times.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
        return Float32(bitPattern: UInt32(littleEndian: bits))
    }
}

extension Ending {
    var mark: LeaseMarks.Mark {
        switch self {
        case .completed: .completed
        case .retryable: .retryable
        case .snoozed: .snoozed
        case .crashed: .crashed
        case .failed: .failed
        case .cancelled: .cancelled
        case .givenBack: .givenBack
        }
    }
}

/// The places in the log that a lease holds, as they are stored: nothing when it holds all between its ends.
struct LeasePositions {
    let first: Int64
    let count: Int
    private let offsets: [UInt8]?

    init(first: Int64, count: Int, stored offsets: [UInt8]?) throws {
        self.first = first
        self.count = count
        self.offsets = offsets
        if let offsets, offsets.count != count * 8 { throw StoreError.damaged("a lease's positions do not fit its jobs") }
    }

    init(_ positions: [Int64], first: Int64) {
        self.first = first
        count = positions.count
        let isDense = positions.first == first && positions.last == first + Int64(positions.count) - 1
        offsets =
            isDense || positions.isEmpty
            ? nil
            : positions.flatMap { position in withUnsafeBytes(of: (position - first).littleEndian) { Array($0) } }
    }

    var stored: SQLValue { offsets.map(SQLValue.blob) ?? .null }

    subscript(index: Int) -> Int64 {
        guard let offsets else { return first + Int64(index) }
        let offset = offsets.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 8, as: Int64.self) }
        return first + Int64(littleEndian: offset)
    }

    /// The index of a place in the log, or nil when the lease does not hold it.
    func index(of position: Int64) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == position ? low : nil
    }
}

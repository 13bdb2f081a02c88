/// The keys of all objects that are open, innermost last, to notice one that is written twice.
///
/// Few keys are compared with each other as they come. Many are sorted when their object ends, so that an object
/// made of a hundred thousand keys costs n log n and not n². Keys are compared after unescaping: `"a"` is `"\u0061"`.
struct JSONKeys {
    private struct Key {
        /// Where it stands in the text, behind its quote.
        let offset: Int
        /// Where its bytes are: in the text, or in `unescaped`.
        let bytes: Range<Int>
        let escaped: Bool
    }

    private var keys: [Key] = []
    private var unescaped: [UInt8] = []

    /// Up to here each new key is compared with all before it.
    private static let few = 16

    var count: Int { keys.count }

    mutating func removeAll() {
        keys.removeAll(keepingCapacity: true)
        unescaped.removeAll(keepingCapacity: true)
    }

    mutating func removeAll(from first: Int) { keys.removeLast(keys.count - first) }

    mutating func append(_ range: Range<Int>, escaped: Bool, _ text: borrowing Span<UInt8>) {
        guard escaped else {
            keys.append(Key(offset: range.lowerBound, bytes: range, escaped: false))
            return
        }
        let start = unescaped.count
        JSONEscape.append(text, range, to: &unescaped)
        keys.append(Key(offset: range.lowerBound, bytes: start..<unescaped.count, escaped: true))
    }

    func last(_ text: borrowing Span<UInt8>) -> String { string(keys[keys.count - 1], text) }

    /// The key at an offset that ``repeated(from:_:)`` or ``repeatedAmongMany(from:_:)`` gave.
    func name(at offset: Int, _ text: borrowing Span<UInt8>) -> String {
        keys.last { $0.offset == offset + 1 }.map { string($0, text) } ?? ""
    }

    /// The offset of the last key's quote, if it repeats one before it. Does nothing among many keys.
    func repeated(from first: Int, _ text: borrowing Span<UInt8>) -> Int? {
        let last = keys.count - 1
        guard last - first < Self.few else { return nil }
        var i = first
        while i < last {
            if keys[i].bytes.count == keys[last].bytes.count, order(keys[i], keys[last], text) == 0 {
                return keys[last].offset - 1
            }
            i += 1
        }
        return nil
    }

    /// The offset of the quote of some repeated key, if there is one. Does nothing among few keys.
    mutating func repeatedAmongMany(from first: Int, _ text: borrowing Span<UInt8>) -> Int? {
        guard keys.count - first > Self.few else { return nil }
        let sorted = sort(Array(keys[first...]), text)
        for (a, b) in zip(sorted, sorted.dropFirst()) where order(a, b, text) == 0 {
            return max(a.offset, b.offset) - 1
        }
        return nil
    }

    /// Merge sort, bottom up. The library's sort takes an escaping view of its elements, and a span cannot be captured.
    private func sort(_ unsorted: [Key], _ text: borrowing Span<UInt8>) -> [Key] {
        var from = unsorted
        var to = unsorted
        var width = 1
        while width < from.count {
            var start = 0
            while start < from.count {
                let middle = min(start + width, from.count)
                let end = min(start + 2 * width, from.count)
                var (left, right) = (start, middle)
                for i in start..<end {
                    if left < middle, right == end || order(from[left], from[right], text) <= 0 {
                        to[i] = from[left]
                        left += 1
                    } else {
                        to[i] = from[right]
                        right += 1
                    }
                }
                start = end
            }
            swap(&from, &to)
            width *= 2
        }
        return from
    }

    /// Shorter keys first, then by bytes: any total order will do.
    private func order(_ a: Key, _ b: Key, _ text: borrowing Span<UInt8>) -> Int {
        guard a.bytes.count == b.bytes.count else { return a.bytes.count - b.bytes.count }
        for i in 0..<a.bytes.count {
            let difference = Int(byte(a, i, text)) - Int(byte(b, i, text))
            if difference != 0 { return difference }
        }
        return 0
    }

    private func byte(_ key: Key, _ i: Int, _ text: borrowing Span<UInt8>) -> UInt8 {
        key.escaped ? unescaped[key.bytes.lowerBound + i] : text[key.bytes.lowerBound + i]
    }

    private func string(_ key: Key, _ text: borrowing Span<UInt8>) -> String {
        String(unsafeUninitializedCapacity: key.bytes.count) { room in
            for i in 0..<key.bytes.count { room[i] = byte(key, i, text) }
            return key.bytes.count
        }
    }
}

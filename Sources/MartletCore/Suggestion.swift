/// "did you mean …?" for a misspelt key, option or state.
package enum Suggestion {
    /// The candidate with the fewest slips (a letter missing, added, wrong, or two swapped) from the word, if about a
    /// third of the letters or fewer are wrong; upper and lower case do not count. The first one wins a tie.
    package static func nearest(to word: String, in candidates: [String]) -> String? {
        let letters = Array(word.lowercased().utf8)
        guard (1...Self.longest).contains(letters.count) else { return nil }
        var best: (name: String, slips: Int)?
        for candidate in candidates {
            let other = Array(candidate.lowercased().utf8)
            guard other.count <= longest else { continue }
            let slips = slips(letters, other)
            let allowed = (max(letters.count, other.count) + 1) / 3
            if slips <= allowed, slips < min(letters.count, other.count), slips < best?.slips ?? .max {
                best = (candidate, slips)
            }
        }
        return best?.name
    }

    /// Longer words are no slips of ours, and the table below is quadratic.
    private static let longest = 64

    /// Restricted Damerau–Levenshtein distance ("optimal string alignment"), three rows of its table at a time.
    private static func slips(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                let changed = last[j] + (a[i] == b[j] ? 0 : 1)
                var slips = min(changed, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { slips = min(slips, beforeLast[j - 1] + 1) }
                row.append(slips)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}

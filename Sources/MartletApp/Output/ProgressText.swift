import MartletStore

extension ProgressReport {
    /// `40 %: page 4 of 10`, or the part of it that is known.
    var text: String {
        switch (percent, note) {
        case (let percent?, let note?): "\(percent) %: \(note)"
        case (let percent?, nil): "\(percent) %"
        case (nil, let note?): note
        case (nil, nil): "says that it is at work"
        }
    }

    /// Whole ones, 100 only at the end.
    var percent: Int? { fraction.map { Int($0 * 100) } }
}

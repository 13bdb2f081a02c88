import MartletCore

/// How far an import is.
struct ImportLine {
    private var line: ProgressLine

    init(_ console: Console) { line = ProgressLine(console) }

    mutating func show(_ progress: ImportProgress) { line.show(Self.text(progress)) }

    mutating func clear() { line.clear() }

    private static func text(_ progress: ImportProgress) -> String {
        var parts = ["\(Counted.grouped(progress.enqueued)) enqueued"]
        if let total = progress.totalBytes, total > 0 {
            parts.insert(bar(Double(progress.bytes) / Double(total)), at: 0)
        }
        if progress.seconds > 0 { parts.append("\(Counted.grouped(Int(Double(progress.enqueued) / progress.seconds)))/s") }
        return parts.joined(separator: " · ")
    }

    private static func bar(_ share: Double) -> String {
        let width = 24
        let full = min(width, max(0, Int(share * Double(width))))
        return String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
            + " \(min(100, max(0, Int(share * 100))))%"
    }
}

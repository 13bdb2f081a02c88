/// Rows under headings, aligned. The last column gives way when a line would be wider than the terminal.
struct Table {
    enum Alignment {
        case left, right
    }

    struct Cell {
        let text: String
        let ink: Style.Ink

        init(_ text: String, _ ink: Style.Ink = .plain) {
            self.text = SafeText.line(text)
            self.ink = ink
        }
    }

    private let columns: [(heading: String, alignment: Alignment)]
    private var rows: [[Cell]] = []
    private static let gap = "  "
    /// Longer texts are cut on a terminal even where they would fit, so that one long name does not push the rest aside.
    private static let leastLastColumn = 12
    /// In a pipe no line is too long, but nobody wants a megabyte in a cell either; --json has everything.
    static let widestPipedCell = 200

    init(_ columns: (heading: String, alignment: Alignment)...) { self.columns = columns }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: [Cell]) {
        precondition(cells.count == columns.count)
        rows.append(cells)
    }

    func rendered(on stream: Outlet) -> String {
        let widths = columnWidths(limit: stream.terminal?.width)
        let headings = columns.map { Cell($0.heading, .dim) }
        return ([headings] + rows).map { line($0, widths: widths, style: stream.style) }.joined()
    }

    private func columnWidths(limit: Int?) -> [Int] {
        var widths = columns.indices.map { column in
            rows.reduce(TextWidth.of(columns[column].heading)) { max($0, TextWidth.of($1[column].text)) }
        }
        guard let limit, let last = widths.indices.last else { return widths.map { min($0, Self.widestPipedCell) } }
        let taken = widths.dropLast().reduce(0, +) + Self.gap.count * last
        widths[last] = min(widths[last], max(limit - taken, Self.leastLastColumn))
        shrink(&widths, to: limit)
        return widths
    }

    /// Still too wide: the widest columns give a column each until it fits or nothing is left to give.
    private func shrink(_ widths: inout [Int], to limit: Int) {
        var excess = widths.reduce(0, +) + Self.gap.count * (widths.count - 1) - limit
        while excess > 0 {
            let left = widths.indices.filter { columns[$0].alignment == .left }
            guard let widest = left.max(by: { widths[$0] < widths[$1] }), widths[widest] > 6 else { return }
            widths[widest] -= 1
            excess -= 1
        }
    }

    private func line(_ cells: [Cell], widths: [Int], style: Style) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let text = TextWidth.cut(cell.text, to: widths[index])
            let padding = String(repeating: " ", count: max(0, widths[index] - TextWidth.of(text)))
            let painted = style.paint(text, cell.ink)
            let isLast = index == cells.count - 1
            switch columns[index].alignment {
            case .right: line += padding + painted
            case .left: line += isLast ? painted : painted + padding
            }
            line += isLast ? "" : Self.gap
        }
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }
}

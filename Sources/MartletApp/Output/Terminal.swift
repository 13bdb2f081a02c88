import Glibc

/// A screen somebody looks at.
package struct Terminal: Sendable, Equatable {
    package let width: Int
    package let color: Bool

    package init(width: Int, color: Bool) {
        self.width = width
        self.color = color
    }

    /// nil when the descriptor is not a terminal.
    package init?(descriptor: Int32, environment: [String: String]) {
        guard isatty(descriptor) == 1 else { return nil }
        var size = winsize()
        let known = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        // https://no-color.org: set to anything but the empty text.
        let refused = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        self.init(width: known ? Int(size.ws_col) : 80, color: !refused)
    }
}

import Glibc

/// Nobody reads any more (`| head`), or nothing more fits on the disk that standard output goes to.
package struct OutputClosed: Error, Equatable {
    /// The `errno` of the write.
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// A reader that left has what it wanted.
    package var isReaderGone: Bool { code == EPIPE }
}

/// Where bytes go, and what may be done with them there.
package struct Outlet: Sendable {
    /// nil: a pipe or a file. Nothing is coloured for it, and only very long texts are cut.
    package let terminal: Terminal?
    private let sink: @Sendable ([UInt8]) throws(OutputClosed) -> Void

    package init(terminal: Terminal?, sink: @escaping @Sendable ([UInt8]) throws(OutputClosed) -> Void) {
        self.terminal = terminal
        self.sink = sink
    }

    package func write(_ bytes: [UInt8]) throws(OutputClosed) { try sink(bytes) }

    package func write(_ text: String) throws(OutputClosed) { try sink(Array(text.utf8)) }

    /// One JSON object a line.
    package func write(_ json: JSONWriter) throws(OutputClosed) { try sink(json.bytes + [UInt8(ascii: "\n")]) }

    package var style: Style { Style(color: terminal?.color ?? false) }
}

extension Outlet {
    package static func descriptor(_ descriptor: Int32, environment: [String: String]) -> Outlet {
        Outlet(terminal: Terminal(descriptor: descriptor, environment: environment)) {
            bytes throws(OutputClosed) in
            try writeAll(bytes, to: descriptor)
        }
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(OutputClosed) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, bytes.count - written) }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                // A pipe that somebody set to non-blocking: wait until it takes more.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            } else if errno != EINTR {
                throw OutputClosed(code: errno)
            }
        }
    }
}

import CMartletLinux
import Dispatch
import Foundation
import Glibc
import Logging
import MartletCore
import Synchronization

/// The other side of ``WarmChild``: this process was started to run jobs for another, and does nothing else.
package final class ChildMode: Sendable {
    /// Says which descriptor leads to the worker.
    static let variable = "MARTLET_CHILD"
    static let channel: CInt = 3

    package typealias Body = @Sendable (HandlerCall) async -> RunReport

    /// Looked at once, and not passed on to what jobs start.
    package static let isChild: Bool = {
        guard getenv(variable).map({ String(cString: $0) }) == "\(channel)" else { return false }
        unsetenv(variable)
        // Somebody set the variable by hand: then there is no socket.
        var status = stat()
        guard fstat(channel, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        _ = fcntl(channel, F_SETFD, FD_CLOEXEC)
        return true
    }()

    private let bodies: [String: Body]
    private let writing = Mutex(())
    private let current = Mutex<Task<Void, Never>?>(nil)
    private let meter = UsageMeter()

    private init(_ bodies: [String: Body]) { self.bodies = bodies }

    /// Serves until the worker is gone, and holds the calling thread meanwhile.
    package static func serve(_ bodies: [String: Body]) -> Never {
        ChildMode(bodies).start()
        while true { pause() }
    }

    /// The same without holding a thread, so that runs can use the main actor.
    package static func serve(_ bodies: [String: Body]) async -> Never {
        ChildMode(bodies).start()
        while true { await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in } }
    }

    private func start() {
        var hello = Frame(.hello)
        hello.write(bodies.count)
        for kind in bodies.keys.sorted() { hello.write(kind) }
        send(hello)
        let thread = Thread { [self] in
            martlet_name_thread("martlet-parent")
            receive()
        }
        thread.start()
    }

    // MARK: Orders

    private func receive() -> Never {
        var inbox = FrameBuffer()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
        while true {
            let count = read(Self.channel, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            // The worker is gone, or needs no child any more. What is left of a run ends here: nobody would hear of it.
            guard count > 0 else { _exit(0) }
            inbox.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            do throws(FrameReader.Malformed) {
                while var frame = try inbox.next() { try obey(&frame) }
            } catch {
                FileHandle.standardError.write(Data("martlet: the worker's orders make no sense\n".utf8))
                _exit(70)
            }
        }
    }

    private func obey(_ frame: inout FrameReader) throws(FrameReader.Malformed) {
        switch frame.letter {
        case .run:
            run(
                try RemoteCall(&frame, progress: RemoteProgress { [self] in send($0) }) { level in
                    let handler = RemoteLogHandler(logLevel: level) { [self] in send($0) }
                    return Logger(label: "martlet") { _ in handler }
                })
        case .cancel: current.withLock { $0?.cancel() }
        case .hello, .log, .progress, .done, nil: break
        }
    }

    private func run(_ remote: RemoteCall) {
        current.withLock { current in
            current = Task.detached { [self] in
                let call = remote.call
                guard let body = bodies[call.kind] else { return }
                meter.begin(cpuSeconds: remote.cpuSeconds)
                let report = await body(call)
                let (usage, resident) = meter.end()
                send(
                    RemoteReport(
                        outcome: report.outcome, usage: usage, resident: resident, followUps: report.followUps
                    ).frame)
                // Between two runs, where nobody waits for it.
                meter.reset()
            }
        }
    }

    private func send(_ frame: Frame) {
        let bytes = frame.finished
        writing.withLock { _ in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.send(Self.channel, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
                if count < 0, errno == EINTR { continue }
                // The worker is gone; the reading thread sees it, too.
                if count <= 0 { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}

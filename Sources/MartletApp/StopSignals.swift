import Glibc
import UnixSignals

/// SIGTERM and SIGINT as a person or a service manager sends them.
package enum StopSignals {
    /// From here on, until the process ends, they are told instead of ending it. Whoever asked answers the first one in good
    /// order and the second one with ``endNow(_:)``, also while the last things are being closed: nobody else will.
    package static func trapped() async -> AsyncStream<Int32> {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        // Nobody cancels it: when it ended, the signals would still be trapped and lost.
        Task.detached {
            for await signal in signals { continuation.yield(signal == .sigint ? SIGINT : SIGTERM) }
        }
        return stream
    }

    /// Nothing is closed: what is durable is, and everything else is what a crash would leave.
    package static func endNow(_ signal: Int32) -> Never { _exit(128 + signal) }
}

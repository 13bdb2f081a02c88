// Names, states, retry policies and errors of the core are part of this library's interface.
@_exported import MartletCore
// `Worker.run(stoppingOn: [.sigterm, .sigint])`, without a dependency of the caller's own.
@_exported import struct UnixSignals.UnixSignal

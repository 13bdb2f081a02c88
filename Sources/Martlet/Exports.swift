// Names, states, retry policies and errors of the core are part of this library's interface.
@_exported import MartletCore

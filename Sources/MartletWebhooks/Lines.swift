import MartletCore
import Synchronization

/// The lines of one endpoint: to the addresses that its host stands for now. The one that answered last is tried first.
final class Lines: Sendable {
    private struct State {
        var lines: [IPAddress: Line] = [:]
        var last: IPAddress?
    }

    /// How many addresses one request tries. Each may take ``Line/connectTimeout``.
    private static let most = 4

    private let endpoint: HTTPEndpoint
    private let connections: Int
    private let state = Mutex(State())

    init(_ endpoint: HTTPEndpoint, connections: Int) {
        self.endpoint = endpoint
        self.connections = connections
    }

    /// Lines that lead to none of the addresses are let go.
    func to(_ addresses: [IPAddress]) -> [Line] {
        state.withLock { state in
            var wanted = Array(addresses.prefix(Self.most))
            if let last = state.last, let index = wanted.firstIndex(of: last) { wanted.swapAt(0, index) }
            let lines = wanted.map { address in
                state.lines[address] ?? Line(endpoint, address: address, connections: connections)
            }
            state.lines = Dictionary(uniqueKeysWithValues: lines.map { ($0.address, $0) })
            return lines
        }
    }

    func answered(_ line: Line) { state.withLock { $0.last = line.address } }
}

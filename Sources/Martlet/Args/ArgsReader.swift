import Foundation
import Synchronization

/// Reads the args of one type: by ``ArgsDecoder`` where it can, otherwise by `JSONDecoder`.
final class ArgsReader: Sendable {
    private let decoder = JSONDecoder()
    /// Grows by a failure of the first and shrinks by what it read.
    private let failures = Atomic(0)
    private static let failure = 16
    /// A type of which the first fails more often than about once in sixteen times is soon left to the other for good: reading
    /// twice costs more than is won.
    private static let most = 64 * failure

    func read<T: Decodable>(_ type: T.Type, from text: [UInt8]) throws -> T {
        let failures = failures.load(ordering: .relaxed)
        guard failures < Self.most else { return try decoder.decode(type, from: Data(text)) }
        if let value = ArgsDecoder.decode(type, from: text) {
            if failures > 0 { self.failures.subtract(1, ordering: .relaxed) }
            return value
        }
        let value = try decoder.decode(type, from: Data(text))
        // Args that nobody can read say nothing.
        self.failures.add(Self.failure, ordering: .relaxed)
        return value
    }

    /// Whether only `JSONDecoder` is asked.
    var isSettled: Bool { failures.load(ordering: .relaxed) >= Self.most }
}

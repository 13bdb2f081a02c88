import MartletStore

/// What a call to the queue can end in. Invalid input is ``InvalidInput`` instead, and is thrown before anything happens.
public struct MartletError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The database cannot be reached or written now; nothing was changed, and the same call may succeed later.
        case unavailable
        /// Waiting will not help: not a database, damaged, no permission, or of another version.
        case unusable
        /// The client was closed.
        case closed
        /// The answer was lost: the change may or may not have happened.
        case unknown
        /// A mistake of Martlet's own.
        case `internal`
    }

    public let code: Code
    /// One sentence for a person: what, where, and what to do next.
    public let message: String

    public var description: String { message }

    init(_ error: StoreError) {
        message = error.message
        switch error.code {
        case .unavailable, .full: code = .unavailable
        case .unusable, .incompatible: code = .unusable
        case .closed: code = .closed
        case .unknown: code = .unknown
        case .internal: code = .internal
        }
    }
}

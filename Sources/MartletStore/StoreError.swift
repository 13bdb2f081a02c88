/// What can go wrong below the seam.
package struct StoreError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The database cannot be reached or written now; the same call may succeed later.
        case unavailable
        /// It will not become usable by waiting: not a database, damaged, no permission.
        case unusable
        /// Its schema is newer than this program, or not ours.
        case incompatible
        /// Out of disk space. Nothing was written; the same call succeeds once there is room.
        case full
        /// The store was closed.
        case closed
        /// The connection broke before the answer: the change may or may not have happened.
        case unknown
        /// A mistake of ours.
        case `internal`
    }

    package let code: Code
    /// One sentence for a person: what, where, and what to do next. Never a password, never args.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Whether a worker should try the same again after a while.
    package var isTransient: Bool {
        switch code {
        case .unavailable, .full, .unknown: true
        case .unusable, .incompatible, .closed, .internal: false
        }
    }
}

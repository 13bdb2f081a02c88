import MartletPQ
import MartletStore

extension StoreError {
    init(_ error: PQError, _ place: Place) {
        switch error.code {
        case .server:
            self = .refused(error, place)
        case .refused, .invalid:
            self.init(.unusable, "\(place.shown): \(error.message)")
        case .unavailable, .deadline, .overloaded, .cancelled:
            self.init(.unavailable, "\(place.shown): \(error.message)")
        case .unknownOutcome:
            self.init(.unknown, "\(place.shown): the connection broke before the answer: \(error.message)")
        case .closed:
            self.init(.closed, "\(place.shown) was closed")
        }
    }

    /// What the server says, with what to do where we know it.
    private static func refused(_ error: PQError, _ place: Place) -> StoreError {
        switch error.sqlState {
        case "42P01", "3F000", "42883":
            StoreError(
                .incompatible,
                "\(place.shown) has no queue in schema \(place.schema), or one made by another version: run martlet migrate up"
            )
        case "42501":
            StoreError(
                .unusable,
                "\(place.shown): \(error.message). Let the owner run martlet migrate roles, then grant this user "
                    + "\(place.schema)_worker, or \(place.schema)_producer where it only enqueues")
        case Schema.restored:
            StoreError(
                .incompatible,
                "\(place.shown): the queue in schema \(place.schema) was restored from a dump, and its cursors mean nothing in this "
                    + "cluster: stop all workers and run martlet repair rebase")
        case "53100":
            StoreError(.full, "\(place.shown) is out of disk space: \(error.message)")
        case _ where error.isTransient:
            StoreError(.unavailable, "\(place.shown): \(error.message)")
        default:
            StoreError(.internal, "\(place.shown): \(error.description)")
        }
    }
}

/// Where a queue is, in words that hold no password.
struct Place: Sendable {
    let shown: String
    let schema: String

    /// The schema's name as SQL has it.
    var quoted: String { "\"" + schema.replacing("\"", with: "\"\"") + "\"" }
}

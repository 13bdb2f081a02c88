import MartletPQ
import MartletStore

extension StoreError {
    init(_ error: PQError, _ place: Place) {
        switch error.code {
        case .server:
            self = .refused(error, place)
        case .refused, .invalid:
            self.init(.unusable, Self.at(place, error))
        case .unavailable where error.sqlState == "25006":
            self = .readOnly(error, place)
        case .unavailable, .deadline, .overloaded, .cancelled:
            self.init(.unavailable, Self.at(place, error))
        case .unknownOutcome:
            self.init(.unknown, "\(place.shown): the connection broke before the answer: \(error.message)")
        case .closed:
            self.init(.closed, "\(place.shown) was closed")
        }
    }

    /// What went wrong while connecting names the place itself.
    private static func at(_ place: Place, _ error: PQError) -> String {
        let hint = error.hint.map { " (\($0))" } ?? ""
        return (error.message.contains(place.shown) ? error.message : "\(place.shown): \(error.message)") + hint
    }

    /// A client leaves a session that turned read-only and looks for another; this is what is left when there is none.
    private static func readOnly(_ error: PQError, _ place: Place) -> StoreError {
        StoreError(
            .unavailable,
            "\(place.shown) takes no writes: it is a standby, or read-only (\(error.message)). Name all hosts in the URL, with "
                + "target_session_attrs=read-write")
    }

    /// The one that may do what was refused, where the server names it; see `create_roles` in `migrations/`.
    private static func roles(for message: String, _ schema: String) -> String {
        switch message.wholeMatch(of: #/permission denied for (\w+) (\w+)/#).map({ ($0.1, $0.2) }) {
        case ("function", "repair")?, ("function", "pause_queue")?:
            "\(schema)_admin"
        case ("function", "enqueue")?, ("function", "enqueue_many")?, ("function", "enqueue_batch")?,
            ("function", "make_lanes")?:
            "\(schema)_producer, or \(schema)_worker where it runs jobs"
        case ("function", "claim")?, ("function", "settle")?, ("function", "register")?, ("function", "heartbeat")?,
            ("function", "deregister")?, ("function", "recover")?, ("function", "promote")?, ("function", "retain")?,
            ("function", "bench_surroundings")?, ("function", "bench_remove")?:
            "\(schema)_worker"
        case ("schema", _)?, nil:
            "\(schema)_worker, \(schema)_producer where it only enqueues, \(schema)_reader where it looks, or \(schema)_admin "
                + "where it repairs"
        case _?:
            "\(schema)_reader, or \(schema)_admin where it repairs"
        }
    }

    /// What to do when this user may not.
    private static func permission(for message: String, _ place: Place) -> String {
        switch place.purpose {
        case .work:
            return "Let the owner run martlet migrate roles, then grant this user " + roles(for: message, place.schema)
        case .migrate:
            return message.contains("for database")
                ? "Run migrate up as the database's owner, or let the owner grant create on it to this user, who then owns the queue"
                : "Only the owner of schema \(place.schema) may migrate it: run migrate up as that user"
        case .createRoles:
            let isOurs = message.contains("create role")
            // The roles are there, and the words for that differ from version to version.
            let isTheirs = message.contains("admin option") || message.contains("grant role")
            guard isOurs || isTheirs else {
                return "Run migrate roles as the owner of schema \(place.schema), who needs createrole"
            }
            return isOurs
                ? "This takes createrole: let a superuser run alter role NAME createrole for the owner of schema "
                    + "\(place.schema), or run migrate roles itself"
                : "The roles \(place.schema)_… belong to the whole cluster, and somebody else made them for another database: let "
                    + "a superuser run migrate roles here, too, or give this queue another name, and so roles of its own, with --schema"
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
            StoreError(.unusable, "\(place.shown): \(error.message). \(permission(for: error.message, place))")
        case "25006":
            readOnly(error, place)
        case Schema.isolated:
            StoreError(
                .unusable,
                "\(place.shown): \(error.message): set default_transaction_isolation back, in the URL, for the role or for the "
                    + "database")
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
    /// What somebody wants there, for what to do when he may not.
    enum Purpose {
        case work, migrate, createRoles
    }

    let shown: String
    let schema: String
    let purpose: Purpose

    /// The schema's name as SQL has it.
    var quoted: String { "\"" + schema.replacing("\"", with: "\"\"") + "\"" }
}

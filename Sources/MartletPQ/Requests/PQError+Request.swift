/// How requests end that did not succeed, and what they can be told by.
extension PQError.Code {
    var shown: String {
        switch self {
        case .deadline: "the time was over, and the server stopped the request"
        case .cancelled: "the task was cancelled, and the server stopped the request"
        case .server, .refused, .unavailable, .unknownOutcome, .overloaded, .closed, .invalid: "the request was stopped"
        }
    }
}

extension PQError {
    static func unanswered(_ code: Code) -> PQError {
        let reason = code == .cancelled ? "the task was cancelled" : "the time was over"
        return PQError(.unknownOutcome, "\(reason) before the server answered; the request may or may not have happened")
    }

    /// The session has lost the prepared statement (a pooler gave us another one, or DISCARD ALL), or has another under the
    /// name, or the table's shape has changed under it.
    var isStalePlan: Bool {
        switch sqlState {
        case SQLState.noSuchPreparedStatement, SQLState.duplicatePreparedStatement: true
        case SQLState.featureNotSupported: routine == "RevalidateCachedQuery"
        default: false
        }
    }
}

import CPostgres

/// libpq, loaded by the first connection string, once for the process.
package enum Libpq {
    fileprivate static let functions: Result<martlet_libpq, PQError> = {
        var functions = martlet_libpq()
        guard let reason = martlet_libpq_load(&functions) else { return .success(functions) }
        return .failure(
            PQError(
                .invalid,
                "PostgreSQL takes libpq 14 or newer, which cannot be loaded (\(String(cString: reason))); Debian and Ubuntu have it in the package libpq5"
            ))
    }()

    /// - Throws: `.invalid`: there is none, or it is too old.
    package static func load() throws(PQError) { _ = try functions.get() }
}

/// Its functions. Only for those who have a ``Conninfo``, or something that came of one, and so know that it could be loaded.
package let pq: martlet_libpq = {
    switch Libpq.functions {
    case .success(let functions): functions
    case .failure(let error): preconditionFailure(error.message)
    }
}()

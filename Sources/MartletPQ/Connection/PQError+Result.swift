import CPostgres

extension PQError {
    /// Of a result that reports one.
    init(_ result: OpaquePointer) {
        func field(_ code: Character) -> String? {
            pq.PQresultErrorField(result, Int32(code.asciiValue!)).map { String(cString: $0) }
        }
        // The letters are libpq's PG_DIAG_… codes.
        let message = field("M") ?? text(pq.PQresultErrorMessage(result))
        self.init(.server, message, sqlState: field("C"))
        severity = field("V")
        detail = field("D")
        hint = field("H")
        constraint = field("n")
        routine = field("R")
    }
}

import CPostgres

/// What a request becomes on the wire.
extension Link {
    func send(_ ticket: Ticket) {
        guard let connection else { return events.append(.again(ticket, nil)) }
        switch ticket.request.work {
        case .steps(let steps): send(steps, ticket, connection)
        case .script(let sql), .copy(let sql, _): send(script: sql, ticket, connection)
        }
    }

    private func send(_ steps: [Step], _ ticket: Ticket, _ connection: OpaquePointer) {
        var commands: [Pipeline<Ticket, Rows>.Command] = []
        guard askWhoAnswers(&commands, connection) else { return refuse(ticket, connection) }
        for step in steps {
            guard send(step, &commands, connection) else { return refuse(ticket, connection) }
        }
        let isSent = pq.PQpipelineSync(connection) == 1
        pipeline.sent(ticket, commands, deadline: ticket.request.deadline, mayRepeat: !ticket.hasRepeated)
        if !isSent { breakOff() }
    }

    /// Goes with the first unit, and so costs no round trip of its own.
    private func askWhoAnswers(
        _ commands: inout [Pipeline<Ticket, Rows>.Command], _ connection: OpaquePointer
    ) -> Bool {
        guard session == .unasked else { return true }
        session = .asked
        commands.append(.aside)
        return pq.PQsendQueryParams(connection, Self.whoAnswers, 0, nil, nil, nil, nil, 1) == 1
    }

    /// Without its sync nothing of a unit takes effect. libpq refuses only what no server could take, or a lost connection.
    private func refuse(_ ticket: Ticket, _ connection: OpaquePointer) {
        if pq.PQstatus(connection) == CONNECTION_OK {
            events.append(.finished(ticket, .failure(PQError(.invalid, lastMessage(connection)))))
        } else {
            events.append(.again(ticket, nil))
        }
        breakOff()
    }

    private func send(
        _ step: Step, _ commands: inout [Pipeline<Ticket, Rows>.Command], _ connection: OpaquePointer
    ) -> Bool {
        let count = Int32(step.types.count)
        let name = session == .ours ? step.preparedKey.map { prepare($0, step, &commands, connection) } : nil
        if case .some(nil) = name { return false }
        commands.append(.execute)
        return step.bytes.withUnsafeBytes { bytes in
            let values = step.offsets.map { offset in
                offset < 0 ? nil : UnsafePointer(bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: CChar.self))
            }
            let binary = [Int32](repeating: 1, count: step.types.count)
            if case .some(.some(let name)) = name {
                return pq.PQsendQueryPrepared(connection, name, count, values, step.lengths, binary, 1) == 1
            }
            return pq.PQsendQueryParams(
                connection, step.statement.sql, count, step.types, values, step.lengths, binary, 1) == 1
        }
    }

    /// - Returns: the name of the prepared statement, nil when the connection is lost.
    private func prepare(
        _ key: PreparedKey, _ step: Step, _ commands: inout [Pipeline<Ticket, Rows>.Command], _ connection: OpaquePointer
    ) -> String? {
        if let name = prepared[key] { return name }
        lastName += 1
        let name = "martlet_\(lastName)"
        prepared[key] = name
        commands.append(.prepare(key))
        guard pq.PQsendPrepare(connection, name, step.statement.sql, Int32(step.types.count), step.types) == 1 else {
            return nil
        }
        return name
    }

    private func send(script: String, _ ticket: Ticket, _ connection: OpaquePointer) {
        guard pq.PQexitPipelineMode(connection) == 1, pq.PQsendQuery(connection, script) == 1 else {
            return refuse(ticket, connection)
        }
        pipeline.sent(ticket, [], deadline: ticket.request.deadline, alone: true, mayRepeat: false)
    }
}

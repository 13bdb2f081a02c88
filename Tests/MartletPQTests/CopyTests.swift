import MartletPQ
import MartletTestSupport
import Testing

@Suite struct CopyTests {
    private func withTable(_ body: (PQClient) async throws -> Void) async throws {
        let database = try PostgresServer.shared().makeDatabase()
        try await withClient(PostgresServer.shared().url(database: database), { $0.connections = 1 }) { client in
            try await client.script("create table t (id int8 primary key, name text, args jsonb, at timestamptz)")
            try await body(client)
        }
    }

    private let copy = "copy t from stdin (format binary)"

    private func write(_ id: Int64, _ row: inout FieldBuffer) {
        row.int8(id)
        if id % 10 == 0 { row.null() } else { row.text("name \(id)") }
        row.jsonb(#"{"id": \#(id)}"#.utf8)
        row.timestamptz(id)
    }

    @Test func `a hundred thousand rows arrive as they were written`() async throws {
        try await withTable { client in
            let answers = try await client.copy(copy) { rows in
                for id in Int64(0)..<100_000 { try await rows.row(4) { write(id, &$0) } }
            }
            #expect(answers.map(\.affected) == [100_000])
            let check = try await client.run(
                .once(
                    """
                    select count(*), count(name), sum(id), bool_and(args = jsonb_build_object('id', id)),
                      bool_and(name = 'name ' || id), bool_and(extract(epoch from at) * 1000000 = id) from t
                    """))
            #expect(check.int(0, 0) == 100_000 && check.int(0, 1) == 90_000)
            #expect(check.bool(0, 3) && check.bool(0, 4) && check.bool(0, 5))
        }
    }

    @Test func `what stands before and after a copy shares its transaction`() async throws {
        try await withTable { client in
            let answers = try await client.copy("truncate t; \(copy); select count(*) from t") { rows in
                for id in Int64(0)..<5 { try await rows.row(4) { write(id, &$0) } }
            }
            #expect(answers.last?.text(0, 0) == "5")
            let error = try await #require(throws: PQError.self) {
                try await client.copy("truncate t; \(copy); select 1/0") { rows in try await rows.row(4) { write(1, &$0) } }
            }
            #expect(error.sqlState == "22012")
            #expect(try await client.int("select count(*) from t") == 5)
        }
    }

    @Test func `a copy that is given up writes nothing`() async throws {
        struct GivenUp: Error {}
        try await withTable { (client) async throws in
            await #expect(throws: GivenUp.self) {
                try await client.copy(copy) { rows in
                    for id in Int64(0)..<10_000 { try await rows.row(4) { write(id, &$0) } }
                    throw GivenUp()
                }
            }
            #expect(try await client.int("select count(*) from t") == 0)
        }
    }

    @Test func `an error of the server is told, and the connection goes on`() async throws {
        try await withTable { client in
            let error = try await #require(throws: PQError.self) {
                try await client.copy(copy) { rows in
                    for id in Int64(0)..<20_000 { try await rows.row(4) { write(id == 3 ? 2 : id, &$0) } }
                }
            }
            #expect(error.sqlState == "23505")
            let missing = try await #require(throws: PQError.self) {
                try await client.copy("copy nowhere from stdin (format binary)") { rows in
                    for id in Int64(0)..<100_000 { try await rows.row(4) { write(id, &$0) } }
                }
            }
            #expect(missing.sqlState == "42P01")
            #expect(try await client.int("select count(*) from t") == 0)
        }
    }

    @Test func `a copy ends when its time is over, however slow its rows come`() async throws {
        try await withTable { client in
            let error = try await #require(throws: PQError.self) {
                try await client.copy(copy, within: .milliseconds(200)) { rows in
                    var id: Int64 = 0
                    while true {
                        try await rows.row(4) { write(id, &$0) }
                        id += 1
                    }
                }
            }
            #expect(error.code == .deadline)
            #expect(try await client.int("select count(*) from t") == 0)
        }
    }

    @Test func `other requests wait for a copy on the same connection, and are answered`() async throws {
        try await withTable { client in
            let behind = (0..<20).map { number in Task { try await client.int("select \(number)::int8") } }
            try await client.copy(copy) { rows in
                for id in Int64(0)..<5_000 { try await rows.row(4) { write(id, &$0) } }
            }
            for (number, task) in behind.enumerated() { #expect(try await task.value == Int64(number)) }
        }
    }
}

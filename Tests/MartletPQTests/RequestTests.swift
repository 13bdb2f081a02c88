import Foundation
import MartletPQ
import MartletTestSupport
import Testing

@Suite struct RequestTests {
    @Test func `a thousand requests in flight each get their own answer`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            let statement = Statement("select $1::int8 * 2")
            // What is sent before it is known who answers is not prepared.
            _ = try await client.int("select 1")
            let wrong = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        try await client.run(statement, [.int8(Int64(number))]).int(0, 0) == Int64(number) * 2
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 0 : 1) }
            }
            #expect(wrong == 0)
            #expect(try await client.int("select count(*) from pg_prepared_statements") == 1)
        }
    }

    @Test func `an error in the middle leaves its neighbours alone`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            let statement = Statement("select 100 / $1::int8")
            let outcomes = await withTaskGroup(of: (Int64, Result<Int64, PQError>).self) { group in
                for number in Int64(-50)...50 {
                    group.addTask {
                        do throws(PQError) {
                            return (number, .success(try await client.run(statement, [.int8(number)]).int(0, 0)))
                        } catch { return (number, .failure(error)) }
                    }
                }
                return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for (number, outcome) in outcomes {
                switch outcome {
                case .success(let value): #expect(number != 0 && value == 100 / number)
                case .failure(let error): #expect(number == 0 && error.sqlState == "22012" && error.code == .server)
                }
            }
            #expect(outcomes.count == 101)
        }
    }

    @Test func `an atomic request happens as a whole or not at all`() async throws {
        let database = try PostgresServer.shared().makeDatabase()
        try await withClient(PostgresServer.shared().url(database: database), { $0.connections = 1 }) {
            (client) async throws in
            try await client.script("create table t (x int8 primary key)")
            let insert = Statement("insert into t values ($1)")
            let rows = try await client.atomically([
                Step(insert, [.int8(1)]), Step(insert, [.int8(2)]), Step(.once("select count(*) from t")),
            ])
            #expect(rows[2].int(0, 0) == 2)
            let error = try await #require(throws: PQError.self) {
                try await client.atomically([Step(insert, [.int8(3)]), Step(insert, [.int8(1)])])
            }
            #expect(error.sqlState == "23505" && error.constraint == "t_pkey" && error.severity == "ERROR")
            #expect(!error.isTransient)
            #expect(try await client.int("select count(*) from t") == 2)
        }
    }

    @Test func `a script is one transaction and leaves the connection as it was`() async throws {
        let database = try PostgresServer.shared().makeDatabase()
        try await withClient(PostgresServer.shared().url(database: database), { $0.connections = 1 }) {
            (client) async throws in
            let error = try await #require(throws: PQError.self) {
                try await client.script("create table t (x int); insert into t values (1); select 1/0; select 2")
            }
            #expect(error.sqlState == "22012")
            #expect(try await client.int("select count(*) from pg_class where relname = 't'") == 0)
            let rows = try await client.script("select 1; select 'a', 'b'")
            #expect(rows.map(\.columns) == [1, 2] && rows[1].text(0, 1) == "b")
        }
    }

    @Test func `a request stops at the server when its time is over`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            // Connecting takes its time, too.
            _ = try await client.int("select 1")
            let error = try await client.failure("select pg_sleep(600)", within: .milliseconds(50))
            #expect(error.code == .deadline)
            #expect(try await client.int("select 1") == 1)
        }
    }

    @Test func `a cancelled task's request stops at the server, and those behind it go on`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            let pid = try await client.int("select pg_backend_pid()")
            let sleeping = Task { try await client.int("select pg_sleep(600)") }
            try await eventually {
                try PostgresServer.shared().psql("select wait_event from pg_stat_activity where pid = \(pid)") == "PgSleep\n"
            }
            let behind = Task { try await client.int("select 7") }
            sleeping.cancel()
            let error = try await #require(throws: PQError.self) { _ = try await sleeping.value }
            #expect(error.code == .cancelled)
            #expect(try await behind.value == 7)
            #expect(try await client.int("select pg_backend_pid()") == pid, "the connection is the same")
        }
    }

    @Test func `a task that is cancelled already sends nothing`() async throws {
        try await withClient { (client) async throws in
            let task = Task {
                try await eventually { Task.isCancelled }
                return try await client.int("select 1")
            }
            task.cancel()
            await #expect(throws: (any Error).self) { _ = try await task.value }
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.int("select 1")
            }
            let error = try await #require(throws: PQError.self) { _ = try await late.value }
            #expect(error.code == .cancelled)
        }
    }

    @Test func `cancelling many at once hits nobody else`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            let statement = Statement("select $1::int8 from pg_sleep(0.002)")
            let tasks = (0..<300).map { number in Task { try await client.run(statement, [.int8(number)]).int(0, 0) } }
            for (number, task) in tasks.enumerated() where number % 3 == 0 { task.cancel() }
            for (number, task) in tasks.enumerated() {
                do {
                    #expect(try await task.value == Int64(number))
                } catch let error as PQError {
                    #expect(number % 3 == 0 && error.code == .cancelled, "\(number): \(error)")
                }
            }
        }
    }

    @Test func `a thread without a task waits for its answer on a lane of its own`() async throws {
        try await withClient({
            $0.dedicated = [.heartbeat]; $0.connections = 1
        }) { (client) async throws in
            let busy = Task { try await client.int("select pg_sleep(600)") }
            let answer = await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(
                        returning: Result { try client.runBlocking(.once("select 42"), lane: .heartbeat).text(0, 0) })
                }
            }
            #expect(throws: Never.self) { _ = try answer.get() }
            busy.cancel()
            await #expect(throws: PQError.self) { _ = try await busy.value }
        }
    }

    @Test func `statements that a session has lost, or whose table has changed, are prepared anew`() async throws {
        let database = try PostgresServer.shared().makeDatabase()
        try await withClient(PostgresServer.shared().url(database: database), { $0.connections = 1 }) {
            (client) async throws in
            try await client.script("create table t (x int8); insert into t values (1)")
            let statement = Statement("select * from t")
            #expect(try await client.run(statement).columns == 1)
            try await client.script("deallocate all")
            #expect(try await client.run(statement).columns == 1)
            try await client.script("alter table t add y text")
            #expect(try await client.run(statement).columns == 2)
        }
    }

    @Test func `without prepared statements a session keeps nothing`() async throws {
        try await withClient({
            $0.pooler = .transaction; $0.connections = 1
        }) { (client) async throws in
            let statement = Statement("select $1::int8 + 1")
            for number in Int64(0)..<20 { #expect(try await client.run(statement, [.int8(number)]).int(0, 0) == number + 1) }
            #expect(try await client.int("select count(*) from pg_prepared_statements") == 0)
        }
    }

    @Test func `a value that the server refuses is that request's error alone`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            #expect(try await client.failure("select $1::text", [.text("a\0b")]).sqlState == "22021")
            #expect(try await client.failure("selec").sqlState == "42601")
            #expect(try await client.failure("copy (select 1) to stdout").code == .unknownOutcome)
            #expect(try await client.int("select 1") == 1)
        }
    }

    @Test func `a client opens the second connection only when the first is busy`() async throws {
        let database = try PostgresServer.shared().makeDatabase()
        try await withClient(PostgresServer.shared().url(database: database), { $0.applicationName = database }) {
            (client) async throws in
            let count = "select count(*) from pg_stat_activity where application_name = '\(database)'"
            for _ in 0..<10 { #expect(try await client.int(count) == 1) }
            let busy = (0..<8).map { _ in Task { try await client.int("select 1::int8 from pg_sleep(0.05)") } }
            for task in busy { _ = try await task.value }
            try await eventually { try await client.int(count) == 2 }
        }
    }

    @Test func `large values travel both ways`() async throws {
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            let big = [UInt8](repeating: 0xA5, count: 20_000_000)
            let tasks = (0..<3).map { _ in
                Task { try await client.run(.once("select $1"), [.bytea(big)]).bytes(0, 0) == big }
            }
            for task in tasks { #expect(try await task.value) }
        }
    }

    @Test func `a closed client answers so, and what was sent before is answered`() async throws {
        let client = PQClient(try PQOptions(PostgresServer.shared().url()))
        #expect(try await client.int("select 1") == 1)
        let sent = Task { try await client.int("select 2 from pg_sleep(0.1)") }
        try await eventually {
            try PostgresServer.shared().psql(
                "select count(*) from pg_stat_activity where query like 'select 2 from pg_sleep%'") == "1\n"
        }
        await client.close()
        #expect(try await sent.value == 2)
        #expect(try await client.failure("select 1").code == .closed)
        await client.close()
    }

    @Test func `patience is for connections that are not there, not for those that are busy`() async throws {
        try await withClient("postgres://postgres@127.0.0.1:1/postgres") { (client) async throws in
            let patient = Task { try await client.int("select 1", within: .seconds(600)) }
            let error = try await #require(throws: PQError.self) {
                _ = try await client.run(.once("select 1"), within: .seconds(600), patience: .milliseconds(50))
            }
            #expect(error.code == .unavailable)
            #expect(error.message.contains("refused"), "\(error)")
            patient.cancel()
            #expect(await patient.result.error?.code == .cancelled)
        }
        try await withClient({ $0.connections = 1 }) { (client) async throws in
            #expect(try await client.int("select 1") == 1)
            let busy = Task { _ = try await client.script("select pg_sleep(0.3)") }
            try await eventually {
                try PostgresServer.shared().psql(
                    "select count(*) from pg_stat_activity where query = 'select pg_sleep(0.3)' and state = 'active'")
                    == "1\n"
            }
            #expect(try await client.run(.once("select 2::int8"), patience: .milliseconds(1)).int(0, 0) == 2)
            try await busy.value
        }
    }
}

extension Result {
    fileprivate var error: PQError? {
        switch self {
        case .success: nil
        case .failure(let error): error as? PQError
        }
    }
}

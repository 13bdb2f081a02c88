import Foundation
import Glibc
import MartletTestSupport
import Synchronization
import Testing

@testable import MartletPQ

/// Callers who send their requests while the I/O thread sleeps.
@Suite struct HelmTests {
    @Test func `one caller stands in for the I/O thread while it sleeps, and what others want meanwhile is not forgotten`() {
        let mailbox = Mailbox()
        #expect(!mailbox.standIn(), "it has not fallen asleep yet")
        #expect(mailbox.fallAsleep())
        #expect(mailbox.standIn())
        #expect(!mailbox.standIn(), "one at a time")
        #expect(mailbox.post(.unsubscribe(1)))
        #expect(!mailbox.fallAsleep(), "somebody has written")
        #expect(!mailbox.standIn())
        #expect(mailbox.take().count == 1)
        #expect(mailbox.fallAsleep())
        _ = mailbox.close()
        #expect(!mailbox.standIn(), "nobody will answer")
    }

    /// The I/O thread went to sleep for a minute, and must not sleep on.
    @Test(.timeLimit(.minutes(1)))
    func `the deadline of what a caller has sent himself is kept`() async throws {
        try await withClient({
            $0.connections = 1
            $0.within = .seconds(3_600)
        }) { (client) async throws in
            for _ in 0..<10 {
                _ = try await client.int("select 1")
                let error = await #expect(throws: PQError.self) {
                    _ = try await client.int("select 1 from pg_sleep(3600)", within: .milliseconds(20))
                }
                #expect(error?.code == .deadline)
            }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `callers that come one by one, and all at once, each get their own answer`() async throws {
        try await withClient { (client) async throws in
            let statement = Statement("select $1::int8 * 2")
            let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
                for caller in 0..<8 {
                    group.addTask {
                        var wrong = 0
                        for number in Int64(0)..<300 {
                            if number % 10 == caller { try await Task.sleep(for: .microseconds(200)) }
                            let answer = try await client.run(statement, [.int8(number)]).int(0, 0)
                            wrong += answer == number * 2 ? 0 : 1
                        }
                        return wrong
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(wrong == 0)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `callers and a client that closes end, one way or the other`() async throws {
        for _ in 0..<20 {
            try await withClient { (client) async throws in
                _ = try await client.int("select 1")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            do throws(PQError) {
                                while true { _ = try await client.run(.once("select 1")) }
                            } catch { #expect(error.code == .closed) }
                        }
                    }
                    group.addTask { await client.close() }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func `a task that has chosen the I/O thread stays there from one answer to the next`() async throws {
        try await withClient { (client) async throws in
            let places = try await withTaskExecutorPreference(client.ioThread) {
                var places: Set<pthread_t> = [pthread_self()]
                for _ in 0..<20 {
                    _ = try await client.int("select 1")
                    places.insert(pthread_self())
                }
                return places
            }
            #expect(places.count == 1 && !places.contains(pthread_self()))
        }
    }
}

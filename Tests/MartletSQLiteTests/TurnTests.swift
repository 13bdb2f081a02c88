import CMartletLinux
import Foundation
import GRDB
import Glibc
import MartletCore
import MartletSQLite
import MartletStore
import MartletTestSupport
import Testing

/// Processes take turns on a lock file. What happens when somebody does not give his back.
@Suite(.timeLimit(.minutes(2))) struct TurnTests {
    private struct Place {
        let path: String
        let store: SQLiteStore
    }

    private func withStore(busyTimeout: Duration, _ body: (Place) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("a.db").path
            let store = try await SQLiteStore.open(SQLiteOptions(path: path, busyTimeout: busyTimeout))
            try await body(Place(path: path, store: store))
            await store.close()
        }
    }

    /// Keeps the turn, as a stopped process would.
    private func holdTurn(_ path: String) throws -> Int32 {
        let descriptor = open(path + "-lock", O_RDWR | O_CLOEXEC)
        try #require(descriptor >= 0)
        try #require(martlet_lock_byte(descriptor, 1) == 0)
        return descriptor
    }

    @Test func `every call that waits too long fails, the later ones as well, and all goes on afterwards`() async throws {
        try await withStore(busyTimeout: .milliseconds(300)) { place in
            let worker = try await place.store.register(.testing("w"))
            let job = try NewJob(kind: "work")
            let descriptor = try holdTurn(place.path)
            for _ in 0..<3 {
                let error = await #expect(throws: StoreError.self) { _ = try await place.store.enqueue([job]) }
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains("another process") == true)
            }
            let heart =
                Thread.isMainThread ? nil : #expect(throws: StoreError.self) { _ = try place.store.heartbeat(worker) }
            #expect(heart?.code == .unavailable)
            close(descriptor)
            #expect(try await place.store.enqueue([job]).count == 1)
        }
    }

    /// As a worker does that waits for work there.
    @Test func `a task that has chosen the writer's thread goes on while that waits for its turn`() async throws {
        try await withStore(busyTimeout: .milliseconds(300)) { place in
            let descriptor = try holdTurn(place.path)
            let error = await withTaskExecutorPreference(place.store.claimThread) {
                await #expect(throws: StoreError.self) { _ = try await place.store.enqueue([try NewJob(kind: "work")]) }
            }
            #expect(error?.code == .unavailable)
            close(descriptor)
            #expect(try await place.store.enqueue([try NewJob(kind: "work")]).count == 1)
        }
    }

    @Test func `closing does not wait for a turn that never comes`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("a.db").path
            let store = try await SQLiteStore.open(SQLiteOptions(path: path))
            let descriptor = try holdTurn(path)
            await store.close()
            close(descriptor)
        }
    }

    @Test func `opening does not wait for ever either`() async throws {
        try await withStore(busyTimeout: .seconds(5)) { place in
            let descriptor = try holdTurn(place.path)
            let error = await #expect(throws: StoreError.self) {
                _ = try await SQLiteStore.open(SQLiteOptions(path: place.path, busyTimeout: .milliseconds(200)))
            }
            #expect(error?.code == .unavailable)
            close(descriptor)
        }
    }

    /// Sixty waits one after another would be over the suite's limit.
    @Test func `a program that does not take turns holds up a group once and not each of it`() async throws {
        try await withStore(busyTimeout: .seconds(3)) { place in
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let foreign = try DatabaseQueue(path: place.path, configuration: configuration)
            try await foreign.writeWithoutTransaction { db in
                try db.execute(sql: "begin immediate")
            }
            let job = try NewJob(kind: "work")
            let failures = await withTaskGroup(of: StoreError.Code?.self) { group in
                for _ in 0..<60 {
                    group.addTask {
                        do throws(StoreError) {
                            _ = try await place.store.enqueue([job])
                            return nil
                        } catch {
                            return error.code
                        }
                    }
                }
                return await group.reduce(into: [StoreError.Code]()) { if let code = $1 { $0.append(code) } }
            }
            #expect(failures.count == 60)
            try await foreign.writeWithoutTransaction { try $0.execute(sql: "rollback") }
            try foreign.close()
            #expect(try await place.store.enqueue([job]).count == 1)
        }
    }

    @Test func `a closed store reads no more`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("a.db").path
            let store = try await SQLiteStore.open(SQLiteOptions(path: path))
            _ = try await store.stats()
            await store.close()
            let error = await #expect(throws: StoreError.self) { _ = try await store.stats() }
            #expect(error?.code == .closed)
            #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
        }
    }

    @Test func `a link to a database that is not there yet leads to the same lock file`() async throws {
        try await withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(
                at: directory.appendingPathComponent("real"), withIntermediateDirectories: true)
            let link = directory.appendingPathComponent("link.db").path
            try #require(symlink("real/x.db", link) == 0)
            let first = try await SQLiteStore.open(SQLiteOptions(path: link))
            let second = try await SQLiteStore.open(SQLiteOptions(path: link))
            _ = try await first.register(.testing("w"))
            #expect(try await second.recover().workers == [])
            #expect(FileManager.default.fileExists(atPath: directory.appendingPathComponent("real/x.db-lock").path))
            #expect(!FileManager.default.fileExists(atPath: link + "-lock"))
            await first.close()
            await second.close()
        }
    }

    @Test func `with its lock file deleted nobody takes a living worker for dead`() async throws {
        try await withStore(busyTimeout: .seconds(5)) { place in
            _ = try await place.store.register(.testing("w"))
            try FileManager.default.removeItem(atPath: place.path + "-lock")
            let other = try await SQLiteStore.open(SQLiteOptions(path: place.path))
            _ = try await other.register(.testing("v"))
            #expect(try await place.store.recover().workers == [])
            await other.close()
        }
    }
}

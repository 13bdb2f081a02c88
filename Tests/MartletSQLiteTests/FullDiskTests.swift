import Foundation
import Glibc
import MartletCore
import MartletSQLite
import MartletStore
import MartletTestSupport
import Testing

/// A small file system of memory that fills up. Mounting one takes root.
@Suite(.serialized, .timeLimit(.minutes(2))) struct FullDiskTests {
    private func withSmallDisk(_ body: (URL) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            try #require(
                mount("tmpfs", directory.path, "tmpfs", 0, "size=8m") == 0,
                "cannot mount a tmpfs (\(String(cString: strerror(errno)))): run the tests as root")
            do { try await body(directory) } catch {
                umount2(directory.path, Int32(MNT_DETACH))
                throw error
            }
            try #require(umount2(directory.path, Int32(MNT_DETACH)) == 0)
        }
    }

    @Test func `a full disk refuses clearly, and when it is freed everybody goes on`() async throws {
        try await withSmallDisk { directory in
            let path = directory.appendingPathComponent("a.db").path
            let first = try await SQLiteStore.open(SQLiteOptions(path: path))
            let second = try await SQLiteStore.open(SQLiteOptions(path: path))
            let job = try NewJob(kind: "work", args: JSONText(validating: "\"\(String(repeating: "x", count: 2_000))\""))
            let acknowledged = try await first.enqueue(Array(repeating: job, count: 100))

            let ballast = directory.appendingPathComponent("ballast")
            try Data().write(to: ballast)
            try fill(ballast)
            var refused = 0
            for _ in 0..<20 {
                do throws(StoreError) { _ = try await first.enqueue(Array(repeating: job, count: 50)) } catch {
                    #expect(error.code == .full)
                    #expect(error.message.contains("free some space"))
                    refused += 1
                }
            }
            #expect(refused > 0)
            // Registrations that fail leave nothing that a later one could stumble over.
            for store in [first, second, first, second] {
                do throws(StoreError) { _ = try await store.register(.testing("w")) } catch { #expect(error.code == .full) }
            }

            try FileManager.default.removeItem(at: ballast)
            let worker = try await second.register(.testing("after"))
            _ = try await first.register(.testing("also after"))
            var claimed: Set<JobID> = []
            while true {
                let jobs = try await second.claim(.testing(worker, limit: 1_000)).flatMap(\.jobs)
                if jobs.isEmpty { break }
                claimed.formUnion(jobs.map(\.id))
            }
            #expect(claimed.isSuperset(of: acknowledged))
            #expect(
                try await first.diagnose().filter { $0.check == "integrity" || $0.check == "counters" }.map(\.level) == [
                    .ok, .ok,
                ])
            await first.close()
            await second.close()
        }
    }

    private func fill(_ file: URL) throws {
        let handle = try FileHandle(forWritingTo: file)
        defer { close(handle.fileDescriptor) }
        let block = [UInt8](repeating: 0, count: 4_096)
        while write(handle.fileDescriptor, block, block.count) == block.count {}
        #expect(errno == ENOSPC)
    }
}

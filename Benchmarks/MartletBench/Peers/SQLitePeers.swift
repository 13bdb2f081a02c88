import Foundation
import Martlet

/// Huey beside ours on SQLite: the same disk, `synchronous=FULL`, the same job.
enum SQLitePeers {
    private static let jobs = 500_000

    static func drainCase(_ bench: Bench) async throws {
        var (enqueued, drained, theirEnqueued, theirDrained): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        var title = ""
        for _ in 0..<bench.options.runs {
            try await withDirectory { directory in
                let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
                enqueued.append(Double(jobs) / (try await seconds { try await Load.bulk(client, jobs: jobs) }))
                drained.append(Double(jobs) / (try await seconds { try await Load.drain(client) }))
                await client.close()
            }
            try await withDirectory { directory in
                let path = directory.appendingPathComponent("huey.db").path
                title = try await Peer.huey.install(path)
                theirEnqueued.append(try await Peer.huey.enqueue(path))
                theirDrained.append(try await Peer.huey.drain(path, processes: 1))
            }
        }
        bench.report("bulk enqueue of 500 k jobs", "jobs/s", enqueued)
        bench.report("drain of 500 k waiting no-op jobs", "jobs/s", drained)
        print(title)
        bench.report("  enqueue of \(Peer.huey.jobs), huey", "jobs/s", theirEnqueued)
        bench.report("  drain, huey", "jobs/s", theirDrained)
        bench.reportRatio("drain, of huey", drained, of: theirDrained, atLeast: 30)
    }

    static func pickUpCase(_ bench: Bench) async throws {
        var delays: [String: [[Double]]] = [:]
        for _ in 0..<bench.options.runs {
            let ours = try await withDirectory { directory in
                try await PickUp.run("sqlite:" + directory.appendingPathComponent("bench.db").path, in: directory)
            }
            delays["martlet", default: []].append(ours)
            let theirs = try await withDirectory { directory in
                let path = directory.appendingPathComponent("huey.db").path
                return try await Peer.huey.pickUp(path, jobs: PickUp.jobs)
            }
            delays["huey", default: []].append(theirs)
        }
        PeerPickUp.report(bench, plot: "pickup.sqlite", delays, order: ["martlet", "huey"])
    }
}

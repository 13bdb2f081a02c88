import Foundation
import Martlet

/// Other queues on PostgreSQL beside ours: the same server, the same job, everything durable, a database of its own for each.
enum PostgresPeers {
    private static let jobs = 500_000

    static func drainCase(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var (enqueued, drained): ([Double], [Double]) = ([], [])
        var (peersEnqueued, peersDrained): ([String: [Double]], [String: [Double]]) = ([:], [:])
        var titles: [String: String] = [:]
        for _ in 0..<bench.options.runs {
            try await server.withDatabase { database in
                let client = try await Client(.postgres(database.url))
                enqueued.append(Double(jobs) / (try await seconds { try await Load.bulk(client, jobs: jobs) }))
                drained.append(Double(jobs) / (try await seconds { try await Load.drain(client) }))
                await client.close()
            }
            for peer in Peer.postgres {
                for processes in peer.processes {
                    try await server.withDatabase { database in
                        titles[peer.name] = try await peer.install(database.url)
                        peersEnqueued[peer.name, default: []].append(try await peer.enqueue(database.url))
                        let rate = try await peer.drain(database.url, processes: processes)
                        peersDrained["\(peer.name) \(processes)", default: []].append(rate)
                        try check(peer, database)
                    }
                }
            }
        }
        bench.report("bulk enqueue of 500 k jobs", "jobs/s", enqueued)
        bench.report("drain of 500 k waiting no-op jobs", "jobs/s", drained)
        for peer in Peer.postgres {
            print(titles[peer.name]!)
            bench.report("  enqueue of \(peer.jobs), \(peer.name)", "jobs/s", peersEnqueued[peer.name]!)
            for processes in peer.processes {
                bench.report(
                    "  drain by \(processes) process\(processes == 1 ? "" : "es"), \(peer.name)", "jobs/s",
                    peersDrained["\(peer.name) \(processes)"]!)
            }
        }
        let best = peersDrained.max { median($0.value) < median($1.value) }!
        bench.reportRatio("drain, of the best peer (\(best.key))", drained, of: best.value, atLeast: 10)
    }

    static func pickUpCase(_ bench: Bench) async throws {
        let server = try bench.postgres()
        var delays: [String: [[Double]]] = [:]
        for _ in 0..<bench.options.runs {
            let ours = try await server.withDatabase { database in
                try await withDirectory { try await PickUp.run(database.url, in: $0) }
            }
            delays["martlet", default: []].append(ours)
            for peer in Peer.postgres {
                let theirs = try await server.withDatabase { database in
                    _ = try await peer.install(database.url)
                    return try await peer.pickUp(database.url, jobs: PickUp.jobs)
                }
                delays[peer.name, default: []].append(theirs)
            }
        }
        PeerPickUp.report(bench, plot: "pickup.postgres", delays, order: ["martlet"] + Peer.postgres.map(\.name))
    }

    /// Handlers ran; the rows must say so, too.
    private static func check(_ peer: Peer, _ database: BenchDatabase) throws {
        guard let question = peer.unsettled else { return }
        let left = try database.number(question)
        guard left == 0 else { throw Failure("\(peer.name) left \(Int(left)) jobs unsettled") }
    }
}

/// How pick-ups are told, on both engines.
enum PeerPickUp {
    static func report(_ bench: Bench, plot: String, _ delays: [String: [[Double]]], order: [String]) {
        for name in order {
            for (title, share) in [("p50", 0.5), ("p99", 0.99)] {
                bench.report("pick-up, \(name), \(title)", "ms", delays[name]!.map { percentile($0, share) })
            }
            let all = delays[name]!.joined().sorted()
            let shares = all.indices.map { (Double($0) + 0.5) / Double(all.count) }
            bench.draw(plot, name, x: all, y: shares)
        }
    }
}

import MartletCore
import MartletStore

/// Takes what a bench made out of the database again.
enum BenchRemoval {
    /// - Returns: how many jobs went.
    static func remove(_ name: BenchName, _ store: any BenchStore) async throws(StoreError) -> Int {
        var removed = 0
        while true {
            let piece = try await store.removeBench(name, limit: Limits.repairPiece)
            removed += piece
            if piece < Limits.repairPiece { return removed }
        }
    }

    /// What benches left that were killed. A bench that may still live is none of ours.
    struct Sweep {
        var removed: [BenchName] = []
        var jobs = 0
        /// Those that give a sign of life, or gave one until just now.
        var alive: [BenchName] = []
    }

    static func sweep(_ store: any BenchStore) async throws(StoreError) -> Sweep {
        var sweep = Sweep()
        // What dead ones held is given back first.
        _ = try await store.recover()
        let found = try await store.benchSurroundings()
        for name in found.benches.sorted(by: { $0.description < $1.description }) {
            guard !found.alive.contains(name) else {
                sweep.alive.append(name)
                continue
            }
            sweep.jobs += try await remove(name, store)
            sweep.removed.append(name)
        }
        return sweep
    }
}

import MartletCore

/// What `martlet bench` needs of a store besides its verbs. It works in a queue that people use, and so nothing here changes
/// anything but what is named as a ``BenchName``.
package protocol BenchStore: JobStore {
    /// What else goes on, and what benches have left.
    func benchSurroundings() async throws(StoreError) -> BenchSurroundings

    /// What figures mean nothing without.
    func conditions() async throws(StoreError) -> StoreConditions

    /// How long a question takes that asks for nothing; nil where no server is asked.
    func roundTrip() async throws(StoreError) -> Duration?

    /// Takes a bench's queues out of the database, with all jobs in them and their history, a bounded piece a call. A queue of
    /// which something runs is left alone. Need not survive a power loss.
    /// - Returns: how many jobs went; everything is gone when they are fewer than the limit.
    func removeBench(_ name: BenchName, limit: Int) async throws(StoreError) -> Int
}

/// The name of one bench. Its workers are called so, and its queues so with a number; its jobs are of one kind.
package struct BenchName: Sendable, Hashable, CustomStringConvertible {
    package static let kind = "martlet-bench"
    package let description: String

    package init?(_ text: String) {
        guard let match = text.wholeMatch(of: #/martlet-bench-[a-z0-9]+/#) else { return nil }
        description = String(match.0)
    }

    /// The bench that a queue belongs to; nil: it is somebody's own.
    package init?(queue: String) {
        guard let match = queue.wholeMatch(of: #/(martlet-bench-[a-z0-9]+)-[0-9]+/#) else { return nil }
        description = String(match.1)
    }

    package static func random() -> BenchName {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        guard let name = BenchName("\(kind)-" + String((0..<8).map { _ in letters[Int.random(in: 0..<letters.count)] }))
        else {
            preconditionFailure("letters and digits make a name")
        }
        return name
    }

    package func queue(_ number: Int) -> String { "\(description)-\(number)" }
}

package struct BenchSurroundings: Sendable, Equatable {
    /// Live workers that are no bench's, and jobs that are none of any.
    package let workers: Int
    package let available: Int
    package let running: Int
    /// What the whole queue takes of the disk.
    package let bytes: Int
    /// Benches that have queues, and those of them that give a sign of life.
    package let benches: Set<BenchName>
    package let alive: Set<BenchName>

    package init(
        workers: Int, available: Int, running: Int, bytes: Int, benches: Set<BenchName>, alive: Set<BenchName>
    ) {
        self.workers = workers
        self.available = available
        self.running = running
        self.bytes = bytes
        self.benches = benches
        self.alive = alive
    }
}

/// An engine, and how it is set where that decides what a durable write costs.
package struct StoreConditions: Sendable, Equatable {
    package struct Setting: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// `PostgreSQL 15.8`.
    package let engine: String
    package let settings: [Setting]
    /// What becomes of the room of deleted rows, for a person, after a comma.
    package let freed: String

    package init(engine: String, settings: [Setting], freed: String) {
        self.engine = engine
        self.settings = settings
        self.freed = freed
    }
}

import Foundation
import MartletCore

/// What a worker says of itself, for people who look at it and for the one that comes after it.
///
/// Workers of other versions read it: whatever is not there says nothing, and what is not known here is passed over. Its keys are
/// part of what `martlet workers --json` prints.
package struct WorkerReport: Sendable, Equatable, Codable {
    package struct Kind: Sendable, Equatable, Codable {
        /// Jobs of the kind at a time, as it is now.
        package var concurrency: Int?
        /// Why it is that and not another number, for a person; nil: somebody said so.
        package var reason: String?
        /// What was found to do best, where the worker looks for that.
        package var found: Int?
        /// The run that blocks, or blocked last, a thread that other handlers wait for.
        package var blocked: Block?
        /// Its runs got threads of their own, because they block.
        package var moved: Bool?

        package init(
            concurrency: Int? = nil, reason: String? = nil, found: Int? = nil, blocked: Block? = nil, moved: Bool? = nil
        ) {
            self.concurrency = concurrency
            self.reason = reason
            self.found = found
            self.blocked = blocked
            self.moved = moved
        }
    }

    package struct Block: Sendable, Equatable, Codable {
        package var job: Int64
        package var ms: Int

        package init(job: Int64, ms: Int) {
            self.job = job
            self.ms = ms
        }
    }

    /// Threads that handlers hold which were given up.
    package struct Lost: Sendable, Equatable, Codable {
        package var threads: Int
        /// So many there may be.
        package var of: Int

        package init(threads: Int, of: Int) {
            self.threads = threads
            self.of = of
        }
    }

    package var kinds: [String: Kind]
    /// The longest that a task waited for a thread since the report before, and since the start.
    package var lagMs: Int?
    package var highestLagMs: Int?
    /// Resident, and the most it has been.
    package var memoryBytes: Int?
    package var highestMemoryBytes: Int?
    /// Of those that coroutines share, and of those for handlers that block.
    package var lostThreads: Lost?
    package var lostBlockingThreads: Lost?

    package init(
        kinds: [String: Kind] = [:], lagMs: Int? = nil, highestLagMs: Int? = nil, memoryBytes: Int? = nil,
        highestMemoryBytes: Int? = nil, lostThreads: Lost? = nil, lostBlockingThreads: Lost? = nil
    ) {
        self.kinds = kinds
        self.lagMs = lagMs
        self.highestLagMs = highestLagMs
        self.memoryBytes = memoryBytes
        self.highestMemoryBytes = highestMemoryBytes
        self.lostThreads = lostThreads
        self.lostBlockingThreads = lostBlockingThreads
    }

    private enum CodingKeys: String, CodingKey {
        case kinds
        case lagMs = "lag_ms"
        case highestLagMs = "highest_lag_ms"
        case memoryBytes = "memory_bytes"
        case highestMemoryBytes = "highest_memory_bytes"
        case lostThreads = "lost_threads"
        case lostBlockingThreads = "lost_blocking_threads"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        kinds = try container.decodeIfPresent([String: Kind].self, forKey: .kinds) ?? [:]
        lagMs = try container.decodeIfPresent(Int.self, forKey: .lagMs)
        highestLagMs = try container.decodeIfPresent(Int.self, forKey: .highestLagMs)
        memoryBytes = try container.decodeIfPresent(Int.self, forKey: .memoryBytes)
        highestMemoryBytes = try container.decodeIfPresent(Int.self, forKey: .highestMemoryBytes)
        lostThreads = try container.decodeIfPresent(Lost.self, forKey: .lostThreads)
        lostBlockingThreads = try container.decodeIfPresent(Lost.self, forKey: .lostBlockingThreads)
    }

    /// nil: written by something that means another thing by these keys.
    package init?(_ text: JSONText) {
        do { self = try JSONDecoder().decode(WorkerReport.self, from: Data(text.utf8)) } catch { return nil }
    }

    package var json: JSONText {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Numbers and texts, none of them a float that JSON does not know.
        do { return JSONText(trusted: [UInt8](try encoder.encode(self))) } catch { preconditionFailure("\(error)") }
    }
}

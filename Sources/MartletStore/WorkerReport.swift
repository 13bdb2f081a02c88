import Foundation
import MartletCore

/// What a worker says of itself, for people who look at it and for the one that comes after it.
///
/// Workers of other versions read it: whatever is not there says nothing, and what is not known here is passed over.
package struct WorkerReport: Sendable, Equatable, Codable {
    package struct Kind: Sendable, Equatable, Codable {
        /// Jobs of the kind at a time, as it is now.
        package var concurrency: Int?
        /// Why it is that and not another number, for a person.
        package var reason: String?
        /// The run that blocks, or blocked last, a thread that other handlers wait for.
        package var blocked: Block?
        /// Its runs got threads of their own, because they block.
        package var moved: Bool?

        package init(concurrency: Int? = nil, reason: String? = nil, blocked: Block? = nil, moved: Bool? = nil) {
            self.concurrency = concurrency
            self.reason = reason
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

    package var kinds: [String: Kind]
    /// How long a task waits for a thread.
    package var lagMs: Int?
    /// Resident.
    package var memoryBytes: Int?

    package init(kinds: [String: Kind] = [:], lagMs: Int? = nil, memoryBytes: Int? = nil) {
        self.kinds = kinds
        self.lagMs = lagMs
        self.memoryBytes = memoryBytes
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        kinds = try container.decodeIfPresent([String: Kind].self, forKey: .kinds) ?? [:]
        lagMs = try container.decodeIfPresent(Int.self, forKey: .lagMs)
        memoryBytes = try container.decodeIfPresent(Int.self, forKey: .memoryBytes)
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

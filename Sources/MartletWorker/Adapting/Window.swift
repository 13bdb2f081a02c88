extension AutoLimit {
    /// What runs of one kind did in about a second.
    struct Window: Equatable {
        /// Seconds.
        var length: Double
        /// Runs that did what they should.
        var completed = 0
        /// Errors, timeouts, and answers such as "too many requests".
        var failed = 0
        /// Seconds that runs held their places, all together.
        var held = 0.0
        /// How long the runs took that ended, in seconds.
        var mean = 0.0
        /// Nineteen of twenty took no longer.
        var tail = 0.0
        /// Bytes, where the runs are processes of their own.
        var memoryPerRun: Int?
        var machine = Machine()

        var runs: Int { completed + failed }
        var failedShare: Double { runs > 0 ? Double(failed) / Double(runs) : 0 }
        /// Completed runs per second and place.
        var rate: Double { held > 0 ? Double(completed) / held : 0 }

        /// Whether it says something of a limit.
        func used(of limit: Int) -> Bool { held >= 0.8 * Double(limit) * length }
    }

    /// The machine, or the part of it that we may use.
    struct Machine: Equatable {
        /// Busy share of the processors, 0 to 1.
        var processors = 0.0
        /// Bytes; nil: nobody knows.
        var memory: (available: Int, total: Int)?

        /// What stays free for everything else: a tenth.
        private static let reserve = 10

        static func == (a: Machine, b: Machine) -> Bool {
            a.processors == b.processors && a.memory?.available == b.memory?.available && a.memory?.total == b.memory?.total
        }

        var areProcessorsBusy: Bool { processors >= 0.95 }

        var isShortOfMemory: Bool { memory.map { $0.available < $0.total / Self.reserve } ?? false }

        func hasMemory(for runs: Int, runsOf size: Int?) -> Bool {
            guard let memory, let size else { return true }
            return Int128(memory.available - memory.total / Self.reserve) >= Int128(runs) * Int128(size)
        }

        var memoryText: String {
            guard let memory else { return "unknown" }
            return "\(memory.available >> 20) of \(memory.total >> 20) MiB are free"
        }
    }
}

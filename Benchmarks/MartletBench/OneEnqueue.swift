import Foundation
import Martlet

/// What a script pays that calls `martlet enqueue` for each job: the program's start, the connection and a durable commit.
enum OneEnqueue {
    static func sqliteCase(_ bench: Bench) async throws {
        try await withDirectory { directory in
            try await measure(bench, "sqlite:" + directory.appendingPathComponent("martlet.db").path)
        }
    }

    static func postgresCase(_ bench: Bench) async throws {
        try await bench.postgres().withDatabase { try await measure(bench, $0.url) }
    }

    private static func measure(_ bench: Bench, _ database: String) async throws {
        let values = try await bench.repeated {
            var times: [Double] = []
            for _ in 0..<20 {
                times.append(try await Programs.time(["enqueue", "nothing", "{\"number\": 1}"], database: database))
            }
            return median(times)
        }
        bench.report("one martlet enqueue, whole process", "ms", values, atMost: 15)
    }
}

import Foundation
import Martlet

/// A database on either engine, for what is measured on both in the same words.
struct Ground {
    enum Place {
        case sqlite(URL)
        case postgres(BenchDatabase)
    }

    let place: Place

    static func sqlite(_ bench: Bench, _ body: (Ground) async throws -> Void) async throws {
        try await withDirectory { directory in
            try await body(Ground(place: .sqlite(directory.appendingPathComponent("bench.db"))))
        }
    }

    static func postgres(_ bench: Bench, _ body: (Ground) async throws -> Void) async throws {
        try await bench.postgres().withDatabase { try await body(Ground(place: .postgres($0))) }
    }

    /// As the command line takes it.
    var url: String {
        switch place {
        case .sqlite(let file): "sqlite:" + file.path
        case .postgres(let database): database.url
        }
    }

    func client() async throws -> Client { try await Self.client(url) }

    static func client(_ url: String) async throws -> Client {
        let prefix = "sqlite:"
        guard url.hasPrefix(prefix) else { return try await Client(.postgres(url)) }
        return try await Client(.sqlite(String(url.dropFirst(prefix.count))))
    }

    /// Mebibytes of the database, and of the log that goes before it.
    func size() throws -> (data: Double, log: Double) {
        switch place {
        case .sqlite(let file):
            return (try bytes(file.path), try bytes(file.path + "-wal"))
        case .postgres(let database):
            return (
                try database.number("select pg_database_size(current_database()) / 1048576.0"),
                try database.number("select sum(size) / 1048576.0 from pg_ls_waldir()")
            )
        }
    }

    private func bytes(_ path: String) throws -> Double {
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as! Int
        return Double(size) / 1_048_576
    }
}

import Foundation
import GRDB
import GRDBSQLite
import Glibc
import MartletCore
import MartletStore

/// The files of one database. SQLite names its own by the path that symbolic links lead to, so ours goes there too.
struct DatabaseFiles: Sendable {
    /// As the user wrote it; for messages.
    let shown: String
    let path: String

    var wal: String { path + "-wal" }
    var lock: String { path + "-lock" }

    init(_ options: SQLiteOptions) throws(StoreError) {
        shown = options.path
        guard !options.path.isEmpty, !options.path.hasPrefix(":"), !options.path.contains("\0") else {
            throw StoreError(.unusable, "\(options.path.debugDescription) is not a file; a queue has to outlive its process")
        }
        let target = URL(fileURLWithPath: Self.followLinks(options.path))
        let directory = target.deletingLastPathComponent().resolvingSymlinksInPath()
        var info = stat()
        guard stat(directory.path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw StoreError(.unusable, "\(options.path): the directory \(directory.path) does not exist")
        }
        path = directory.appendingPathComponent(target.lastPathComponent).path
        if stat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFREG else {
                throw StoreError(.unusable, "\(options.path) is not a regular file")
            }
        } else if !options.create {
            throw StoreError(.unusable, "there is no database at \(options.path)")
        }
    }

    /// Also through a link to a file that does not exist yet, which Foundation leaves as it is.
    private static func followLinks(_ path: String) -> String {
        var path = path
        // As many as the kernel follows.
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            let count = readlink(path, &buffer, buffer.count - 1)
            guard count > 0 else { break }
            let link = String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
            path = URL(fileURLWithPath: link, relativeTo: URL(fileURLWithPath: path).deletingLastPathComponent()).path
        }
        return path
    }
}

enum OpenDatabase {
    /// The one connection that writes. Call while the write lock is held: switching a new file to WAL is a write.
    static func writer(_ files: DatabaseFiles, busyTimeout: Duration) throws -> DatabaseQueue {
        var configuration = common(busyTimeout: busyTimeout)
        configuration.prepareDatabase { db in
            try db.execute(sql: "pragma journal_mode = wal")
            try db.execute(sql: "pragma synchronous = full")
        }
        return try DatabaseQueue(path: files.path, configuration: configuration)
    }

    /// A connection that only looks. In WAL mode it neither waits for writers nor stops them.
    static func reader(_ files: DatabaseFiles, busyTimeout: Duration) throws -> DatabaseQueue {
        var configuration = common(busyTimeout: busyTimeout)
        configuration.prepareDatabase { db in try db.execute(sql: "pragma query_only = on") }
        return try DatabaseQueue(path: files.path, configuration: configuration)
    }

    private static func common(busyTimeout: Duration) -> Configuration {
        var configuration = Configuration()
        // For programs that do not take turns with us; our own never collide.
        configuration.busyMode = .timeout(busyTimeout.inSeconds)
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { db in
            // Checkpoints are ours alone, under the write lock.
            try db.execute(sql: "pragma wal_autocheckpoint = 0")
            try db.execute(sql: "pragma temp_store = memory")
            try db.execute(sql: "pragma cache_size = -16000")
        }
        return configuration
    }
}

import Foundation
import Glibc

/// Says of itself that it is PostgreSQL 12.9, lets everybody in and answers nothing more.
package final class AncientServer: Sendable {
    package let port: Int
    private let listener: Int32

    package var url: String { "postgres://postgres@127.0.0.1:\(port)/postgres?sslmode=disable&gssencmode=disable" }

    package init() throws {
        let (listener, port) = try listenSomewhere()
        (self.listener, self.port) = (listener, port)
        let thread = Thread {
            while case let client = accept(listener, nil, nil), client >= 0 {
                Self.greet(client)
                Self.readToEnd(client)
                close(client)
            }
        }
        thread.start()
    }

    /// Wakes the thread, which then ends.
    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func greet(_ client: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        guard read(client, &buffer, buffer.count) > 0 else { return }
        let admitted = message("R", [0, 0, 0, 0])
        let version = message("S", Array("server_version\0".utf8) + Array("12.9\0".utf8))
        let key = message("K", [0, 0, 0, 1, 0, 0, 0, 1])
        let ready = message("Z", Array("I".utf8))
        let all = admitted + version + key + ready
        _ = write(client, all, all.count)
    }

    private static func message(_ type: Character, _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count + 4)
        return [type.asciiValue!] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + body
    }

    private static func readToEnd(_ client: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while read(client, &buffer, buffer.count) > 0 {}
    }
}

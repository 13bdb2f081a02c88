import Testing

@testable import MartletPQ

@Suite struct ConninfoTests {
    @Test(arguments: [
        ("postgres://ann:s3cret@db:5433/shop", "postgres://ann:***@db:5433/shop"),
        ("postgresql://ann@db/shop?sslmode=require", "postgres://ann@db/shop?sslmode=require"),
        (
            "postgres://ann:s%40c%3Aret@a:1,b:2/shop?target_session_attrs=read-write",
            "postgres://ann:***@a:1,b:2/shop?target_session_attrs=read-write"
        ),
        ("postgres://db/shop?password=s3cret&user=ann", "postgres://ann:***@db/shop"),
        ("postgres://[::1]:5432/shop", "postgres://[::1]:5432/shop"),
        ("postgres:///shop?host=/run/pg&sslpassword=s3cret", "postgres://%2Frun%2Fpg/shop?sslpassword=***"),
        ("host=db user=ann password=s3cret dbname='my shop'", "host=db user=ann password=*** dbname='my shop'"),
        ("service=shop", "service=shop"),
        ("", ""),
    ]) func `people see everything but the password`(string: String, shown: String) throws {
        let conninfo = try Conninfo(string)
        #expect(Set(conninfo.shown.split(separator: " ")) == Set(shown.split(separator: " ")))
        #expect(!conninfo.shown.contains("cret"))
        #expect(conninfo.string == string)
    }

    @Test(arguments: ["password=s3cret s3cret2", "host='s3cret", "postgres://[s3cret", "s3cret"])
    func `what libpq cannot read is refused without a word of it`(string: String) throws {
        let error = try #require(throws: PQError.self) { _ = try Conninfo(string) }
        #expect(error.code == .invalid)
        #expect(!error.description.contains("s3cret"), "\(error)")
    }

    @Test func `a failed connect tells its SQLSTATE and nothing of the server's source`() {
        let message = ConnectMessage(
            """
            connection to server at "127.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed for user "ann"
            LOCATION:  auth_failed, auth.c:335

            """)
        #expect(message.states == ["28P01"])
        #expect(
            message.message
                == #"connection to server at "127.0.0.1", port 5432 failed: FATAL: password authentication failed for user "ann""#
        )
    }

    @Test func `after a silent host the next one is tried first`() {
        let order = HostOrder(hosts: ["a", "b", "c"], addresses: [], ports: ["1", "2", "3"])
        #expect(order.rotated(after: 0) == HostOrder(hosts: ["b", "c", "a"], addresses: [], ports: ["2", "3", "1"]))
        #expect(order.rotated(after: 2) == order)
        let samePort = HostOrder(hosts: ["a", "b"], addresses: [], ports: ["5432"])
        #expect(samePort.rotated(after: 0) == HostOrder(hosts: ["b", "a"], addresses: [], ports: ["5432"]))
    }
}

import AsyncHTTPClient
import Dispatch
import NIOCore
import NIOPosix

/// Connections to one address, which was looked at before: the name that the URL holds is not looked up again, so there is no
/// second answer that could be another one. The server is asked by that name all the same, in `Host` and in TLS.
///
/// Ends, with its connections, when the last request over it has, and nobody holds it any more.
final class Line: Sendable {
    /// One thread, started with the first kind that is an HTTP call: it moves bytes, and handlers run elsewhere.
    static let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    static let connectTimeout: Duration = .seconds(10)

    let address: IPAddress
    let client: HTTPClient

    /// - Parameter connections: as many as there may be requests at a time; more would wait for each other.
    init(_ endpoint: HTTPEndpoint, address: IPAddress, connections: Int) {
        self.address = address
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: endpoint.tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .nanoseconds(Int64(Self.connectTimeout.components.seconds) * 1_000_000_000)),
            connectionPool: .init(
                // Many servers close theirs after 5 s; a request that crosses such a close is lost.
                idleTimeout: .seconds(4), concurrentHTTP1ConnectionsPerHostSoftLimit: connections))
        // The job's next attempt is the repetition, and says what happened meanwhile.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.dnsOverride = [endpoint.url.host: address.description]
        configuration.tracing.tracer = nil
        // Before anything is sent: should the client and we ever read a host differently, nothing is.
        let check: @Sendable (any Channel) -> EventLoopFuture<Void> = { Self.check($0, leadsTo: address) }
        configuration.http1_1ConnectionDebugInitializer = check
        configuration.http2ConnectionDebugInitializer = check
        client = HTTPClient(eventLoopGroupProvider: .shared(Self.loop), configuration: configuration)
    }

    struct Misled: Error, CustomStringConvertible {
        let description: String
    }

    static func check(_ channel: any Channel, leadsTo address: IPAddress) -> EventLoopFuture<Void> {
        let remote = channel.remoteAddress?.ipAddress
        if let remote, IPAddress(remote) == address { return channel.eventLoop.makeSucceededVoidFuture() }
        let error = Misled(description: "the connection leads to \(remote ?? "nowhere"), not to \(address)")
        return channel.close().flatMapThrowing { throw error }
    }

    deinit {
        // The client keeps itself alive until its connections are closed; nobody is left who could want to know how that went.
        client.shutdown(queue: .global()) { _ in }
    }
}

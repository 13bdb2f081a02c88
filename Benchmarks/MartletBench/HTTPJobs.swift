import Foundation
import Logging
import Martlet
import NIOCore
import NIOHTTP1
import NIOPosix

/// Jobs that are HTTP calls of a server on this machine that takes its time.
enum HTTPJobs {
    static func sqliteCase(_ bench: Bench) async throws {
        let values = try await bench.repeated { try await run(jobs: 100, milliseconds: 150) }
        bench.report("100 HTTP jobs, a server that takes 150 ms", "s", values, atMost: 0.35)
    }

    /// - Returns: seconds from the worker's start until it has drained the queue.
    static func run(jobs: Int, milliseconds: Int64) async throws -> Double {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(SlowAnswer(delay: .milliseconds(milliseconds)))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = server.localAddress?.port else { throw Failure("the server has no port") }
        let time = try await withDirectory { directory in
            let client = try await Client(.sqlite(directory.appendingPathComponent("bench.db").path))
            try await client.enqueue((0..<jobs).map { _ in try NewJob(kind: "hook") })
            var configuration = Worker.Configuration()
            configuration.drain = true
            var logger = Logger(label: "bench")
            logger.logLevel = .error
            let hook = Webhook(kind: "hook", url: "http://127.0.0.1:\(port)/", allowsPrivateAddresses: true)
            let worker = try Worker(client, jobs: [], webhooks: [hook], configuration: configuration, logger: logger)
            let time = try await seconds { try await worker.run() }
            await client.close()
            return time
        }
        try await server.close()
        return time
    }
}

private final class SlowAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let delay: TimeAmount

    init(delay: TimeAmount) { self.delay = delay }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        _ = context.eventLoop.scheduleTask(in: delay) {
            let (handler, context) = bound.value
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "0"])
            context.write(handler.wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(handler.wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A server of HTTP on loopback that answers as a test says, and remembers what it was asked.
final class TestServer: Sendable {
    struct Request: Sendable {
        let method: String
        let uri: String
        let headers: HTTPHeaders
        let body: String
    }

    enum Reply: Sendable {
        case answer(Int, headers: [(String, String)] = [], String = "", after: TimeAmount = .zero)
        case bytes([UInt8])
        /// No answer, ever.
        case silence
        /// The connection ends without one.
        case hangUp
        /// A body of that many bytes, as fast as it is read; the length is told or not.
        case large(status: Int, bytes: Int, tellsLength: Bool)
        /// The head and a part of the body; then the connection ends.
        case torn
        /// Something that is no HTTP.
        case garbage
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var open = 0
        var sent = 0
    }

    private let answer: @Sendable (Request) -> Reply
    private let state = Mutex(State())
    private let channel = Mutex<(any Channel)?>(nil)

    init(_ answer: @escaping @Sendable (Request) -> Reply) { self.answer = answer }

    var requests: [Request] { state.withLock { $0.requests } }
    /// How many connections there have been.
    var connections: Int { state.withLock { $0.connections } }
    var open: Int { state.withLock { $0.open } }
    /// Bytes of large bodies that the sockets took.
    var sent: Int { state.withLock { $0.sent } }
    var port: Int { channel.withLock { $0!.localAddress!.port! } }
    var url: String { "http://127.0.0.1:\(port)" }

    /// - Parameter addresses: to listen at; the first one's port is the port.
    static func running<T>(
        at address: String = "127.0.0.1", tls: NIOSSLContext? = nil, _ answer: @escaping @Sendable (Request) -> Reply,
        _ body: (TestServer) async throws -> T
    ) async throws -> T {
        let server = TestServer(answer)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(Conversation(server))
                }
            }
            .bind(host: address, port: 0).get()
        server.channel.withLock { $0 = channel }
        do {
            let result = try await body(server)
            try await channel.close()
            return result
        } catch {
            try await channel.close()
            throw error
        }
    }

    fileprivate func opened() {
        state.withLock { state in
            state.connections += 1
            state.open += 1
        }
    }

    fileprivate func closed() { state.withLock { $0.open -= 1 } }

    fileprivate func sent(_ bytes: Int) { state.withLock { $0.sent += bytes } }

    fileprivate func reply(_ request: Request) -> Reply {
        state.withLock { $0.requests.append(request) }
        return answer(request)
    }
}

/// One connection.
private final class Conversation: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: TestServer
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    /// Of a large body.
    private var left = 0

    init(_ server: TestServer) { self.server = server }

    func channelActive(context: ChannelHandlerContext) {
        server.opened()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.closed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end:
            guard let head else { return }
            let request = TestServer.Request(
                method: head.method.rawValue, uri: head.uri, headers: head.headers, body: String(buffer: body))
            reply(server.reply(request), context, isHead: head.method == .HEAD)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { pour(context) }

    private func reply(_ reply: TestServer.Reply, _ context: ChannelHandlerContext, isHead: Bool) {
        switch reply {
        case .answer(let status, let headers, let body, let delay):
            let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            _ = context.eventLoop.scheduleTask(in: delay) {
                let (conversation, context) = loopBound.value
                conversation.write(context, status, headers, isHead ? [] : Array(body.utf8))
            }
        case .bytes(let body): write(context, 200, [], body)
        case .silence: break
        case .hangUp: context.close(promise: nil)
        case .large(let status, let bytes, let tellsLength):
            var headers = HTTPHeaders([("content-type", "text/plain")])
            headers.add(
                name: tellsLength ? "content-length" : "transfer-encoding", value: tellsLength ? "\(bytes)" : "chunked")
            left = bytes
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            pour(context)
        case .torn:
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "100"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "0123456789")))), promise: nil)
            context.close(promise: nil)
        case .garbage:
            // Past the encoder, which would refuse it.
            let pipeline = context.channel.pipeline.syncOperations
            guard let encoder = try? pipeline.context(handlerType: HTTPResponseEncoder.self) else {
                preconditionFailure("a server has an encoder")
            }
            encoder.writeAndFlush(NIOAny(ByteBuffer(string: "SSH-2.0-OpenSSH_9.2\r\n")), promise: nil)
        }
    }

    private func write(
        _ context: ChannelHandlerContext, _ status: Int, _ headers: [(String, String)], _ body: [UInt8]
    ) {
        var all = HTTPHeaders(headers)
        if status != 204, !all.contains(name: "content-length") { all.add(name: "content-length", value: "\(body.count)") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: all)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !body.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Sends as long as the socket takes it, and goes on when it does again.
    private func pour(_ context: ChannelHandlerContext) {
        while left > 0, context.channel.isActive, context.channel.isWritable {
            let size = min(left, 64 << 10)
            left -= size
            server.sent(size)
            let chunk = ByteBuffer(repeating: UInt8(ascii: "a"), count: size)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(chunk))), promise: nil)
            if left == 0 { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
        }
    }
}

import AsyncHTTPClient
import Glibc
import MartletCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// Why no answer came, in words. All of it may be over by the next attempt, so all of it is tried again.
enum NetworkFailure {
    static func unresolved(_ host: String, _ reason: String) -> JobError {
        JobError(type: "network", message: "cannot look up the host \(host): \(reason)")
    }

    static func refused(_ host: String, _ addresses: [IPAddress]) -> JobError {
        let all = addresses.map { address in
            "\(address) is \(PrivateAddress.kind(of: address) ?? "a public address")"
        }
        return JobError(
            type: "network",
            message: "\(host) leads to nothing that may be called: \(all.joined(separator: ", "))."
                + " Nothing was sent; allow_private: true permits such addresses")
    }

    /// - Parameter tried: where no connection came about, and why.
    static func unconnected(_ url: URLTemplate, _ tried: [(address: IPAddress, error: any Error)]) -> JobError {
        let all = tried.map { "\($0.address) port \(url.port): \(reason($0.error))" }
        return JobError(type: "network", message: "cannot connect to \(url.host): \(all.joined(separator: "; "))")
    }

    static func broken(_ display: String, _ error: any Error) -> JobError {
        JobError(type: "network", message: "no answer from \(display): \(reason(error))")
    }

    static func brokenBody(_ status: String, _ display: String, _ error: any Error) -> JobError {
        JobError(type: "network", message: "the answer of \(display), \(status), broke off: \(reason(error))")
    }

    /// Whether the connection was never made, so that the next address may be tried and nothing is sent twice.
    static func isAboutConnecting(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError:
            [.connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout].contains(error)
        case let error as IOError:
            [ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ENETDOWN, EHOSTDOWN, EAFNOSUPPORT]
                .contains(error.errnoCode)
        case NIOSSLError.handshakeFailed: true
        case let error as NIOSSLExtraError: error == .failedToValidateHostname
        default: false
        }
    }

    private static let hungUp = "the server closed the connection before its answer was complete"

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError:
            return String(cString: strerror(error.errnoCode))
        case let error as HTTPClientError:
            return reason(error)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "the server's certificate is for another host"
        case is NIOSSLError, is NIOSSLExtraError:
            let text = "\(error)"
            return text.contains("CERTIFICATE_VERIFY_FAILED")
                ? "the server's certificate is not trusted" : "TLS failed: \(text)"
        case HTTPParserError.invalidEOFState:
            return hungUp
        case is HTTPParserError:
            return "what came is not HTTP (\(error))"
        default:
            return "\(error)"
        }
    }

    private static func reason(_ error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout: "no connection within \(Line.connectTimeout.text)"
        case .tlsHandshakeTimeout: "TLS was not agreed on within \(Line.connectTimeout.text)"
        case .remoteConnectionClosed: hungUp
        default: error.shortDescription
        }
    }
}

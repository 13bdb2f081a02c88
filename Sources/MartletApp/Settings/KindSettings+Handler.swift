import MartletCore
import MartletWebhooks
import MartletWorker

extension KindSettings {
    /// The handler, once everything it refers to is found to be there. Otherwise each of its jobs would burn all its attempts,
    /// one by one, on the same mistake.
    /// - Parameter environment: of this process.
    func handler(file: String, environment: [String: String]) throws(InvalidInput) -> Handler {
        switch work {
        case .command(let command):
            try checkCanStart(command, file: file, environment: environment)
            return Handler(
                kind: kind, command: command, concurrency: concurrency, adapts: adapts, timeout: timeout, retry: retry,
                onBlock: onBlock)
        case .http(let spec):
            do {
                return Handler(
                    kind: kind, http: try HTTPEndpoint(spec, environment: environment), concurrency: concurrency,
                    adapts: adapts, timeout: timeout, retry: retry, onBlock: onBlock)
            } catch {
                throw InvalidInput(field: "\(file): kinds.\(kind).http.\(error.field)", reason: error.reason)
            }
        }
    }
}

import Foundation
import MartletCore

/// What is kept of an error that a run threw: its type, a sentence for a person, and as its detail where it came from and what
/// caused it, one line each.
///
/// Causes are what Foundation calls the underlying error, and stored properties named `cause`, `underlyingError` and the like, or
/// an error that an enum's case carries. They are found by reflection, so an error need not know of Martlet.
enum CapturedError {
    /// A chain longer than this is a circle, or tells nobody anything.
    private static let longestChain = 10
    private static let causeBytes = 1 << 10

    static func of(_ error: any Error) -> JobError {
        switch error {
        case let error as JobError:
            error
        case let failure as JobFailure:
            make(failure.type, failure.message, failure.place, failure.cause)
        case let discard as Discard:
            make("Discard", discard.reason, discard.place, discard.cause)
        case let retry as Retry:
            make("Retry", retry.reason, retry.place, retry.cause)
        default:
            make("\(type(of: error))", message(of: error), nil, cause(of: error))
        }
    }

    private static func make(
        _ type: String, _ message: String, _ place: SourcePlace?, _ cause: (any Error)?
    ) -> JobError {
        var lines = place.map { ["\($0)"] } ?? []
        var next = cause
        while let error = next {
            guard lines.count < longestChain else {
                lines.append("and more causes")
                break
            }
            let text = CappedText.head(Self.message(of: error), bytes: causeBytes)
            lines.append("caused by \(name(of: error)): \(text)" + (Self.place(of: error).map { " (\($0))" } ?? ""))
            next = Self.cause(of: error)
        }
        return JobError(type: type, message: message, detail: lines.isEmpty ? nil : lines.joined(separator: "\n"))
    }

    private static func name(of error: any Error) -> String {
        switch error {
        case let error as JobError: error.type
        case let failure as JobFailure: failure.type
        default: "\(type(of: error))"
        }
    }

    private static func place(of error: any Error) -> SourcePlace? {
        switch error {
        case let failure as JobFailure: failure.place
        case let discard as Discard: discard.place
        case let retry as Retry: retry.place
        default: nil
        }
    }

    // MARK: What it says

    static func message(of error: any Error) -> String {
        switch error {
        case let error as JobError: return error.message
        case let failure as JobFailure: return failure.message
        case let discard as Discard: return discard.reason
        case let retry as Retry: return retry.reason
        case is DecodingError: return Misfit.reason(error)
        case let error as any LocalizedError:
            guard let text = error.errorDescription else { return "\(error)" }
            // The reason is the half that helps where the description only says what was tried.
            guard let reason = error.failureReason, !text.contains(reason) else { return text }
            return "\(text) \(reason)"
        case is any CustomNSError:
            return foundations(error)
        default:
            return type(of: error) is NSError.Type ? foundations(error) : "\(error)"
        }
    }

    /// Their own descriptions are dumps of a dictionary; but where they say nothing, those are better than nothing.
    private static func foundations(_ error: any Error) -> String {
        let text = error.localizedDescription
        return text.contains("could not be completed") ? "\(error)" : text
    }

    // MARK: What caused it

    private static let labels: Set<String> = [
        "cause", "underlyingError", "underlying", "underlyingErrors", "wrappedError", "wrapped", "innerError", "sourceError",
    ]

    static func cause(of error: any Error) -> (any Error)? {
        if type(of: error) is NSError.Type { return (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error }
        if let error = error as? any CustomNSError, let cause = error.errorUserInfo[NSUnderlyingErrorKey] as? any Error {
            return cause
        }
        let mirror = Mirror(reflecting: error)
        if mirror.displayStyle == .enum { return mirror.children.first.flatMap { carried($0.value) } }
        for child in mirror.children {
            guard let label = child.label, labels.contains(label) else { continue }
            if let cause = present(child.value) { return cause }
        }
        return nil
    }

    /// By a case: the error itself, or the one among several values.
    private static func carried(_ value: Any) -> (any Error)? {
        if let error = present(value) { return error }
        let mirror = Mirror(reflecting: value)
        guard mirror.displayStyle == .tuple else { return nil }
        return mirror.children.lazy.compactMap { present($0.value) }.first
    }

    /// An error, also as an optional or as the first of several.
    private static func present(_ value: Any) -> (any Error)? {
        if let errors = value as? [any Error] { return errors.first }
        return value as? any Error
    }
}

import Foundation
import Glibc
import MartletCore
import MartletWorker

extension Handler {
    /// Runs a job type, as its ``JobBody`` says, where its executor says.
    ///
    /// - Parameters:
    ///   - middleware: the worker's.
    ///   - environment: what children see, besides what the type says.
    ///   - hasChildMode: whether the program, started again, runs jobs of the type and nothing else.
    package convenience init<J: Job>(
        _ type: J.Type, middleware: [any Middleware] = [], environment: ChildEnvironment = [], hasChildMode: Bool
    ) throws(InvalidInput) {
        try Name.validate(J.kind, field: "kind")
        if let concurrency = J.concurrency, concurrency < 1 {
            throw InvalidInput(field: "concurrency", reason: "\(concurrency) of kind \(J.kind); at least 1")
        }
        if let timeout = J.timeout { try Limits.timeout.check(timeout, field: "timeout") }
        let isProcess = J.executor == .process
        var settings = ProcessPool.Settings()
        settings.conditions = try Self.conditions(type)
        let environment = environment.merging(J.environment)
        try environment.validate()
        // A suspect of another executor had all of ours in this very process, and shall not fail for the lack of it.
        let pool = ProcessPool(settings: settings, program: .this(isProcess ? environment : ["*"]))
        let body = JobBody(type, middleware: middleware)
        let alone: @Sendable (HandlerCall) async -> RunReport = { await pool.runAlone($0) }
        // One or the other, and no function between: its frame would live as long as a job waits.
        let run: @Sendable (HandlerCall) async -> RunReport
        if isProcess { run = { await pool.run($0) } } else { run = { await body.run($0) } }
        self.init(
            kind: J.kind,
            concurrency: J.concurrency
                ?? (isProcess && !J.adaptsConcurrency ? ProcessInfo.processInfo.activeProcessorCount : nil),
            adapts: J.adaptsConcurrency,
            timeout: J.timeout, retry: J.retry,
            // After the grace comes SIGKILL, which only the kernel can keep.
            unwind: settings.grace + .seconds(5), executor: J.executor,
            onBlock: J.onBlock, isolated: hasChildMode ? alone : nil, reporting: run)
    }

    private static func conditions<J: Job>(_ type: J.Type) throws(InvalidInput) -> ChildConditions {
        try J.limits.validate()
        let given = [
            ("limits", J.limits != .none), ("environment", J.environment != []), ("user", J.user != nil),
            ("group", J.group != nil),
        ]
        if J.executor != .process, let (field, _) = given.first(where: \.1) {
            throw InvalidInput(
                field: field, reason: "of kind \(J.kind) is for a process of its own only; its executor is \(J.executor)")
        }
        var conditions = ChildConditions(limits: J.limits)
        let own = Identity.own
        var account: (user: uid_t, group: gid_t)?
        if let name = J.user {
            guard let user = Account.user(name) else {
                throw InvalidInput(field: "user", reason: "\(name.debugDescription) of kind \(J.kind) is not there")
            }
            guard own.canBecome(user.user) else {
                throw InvalidInput(field: "user", reason: "of kind \(J.kind): only a worker that root runs can have others")
            }
            account = user
        }
        var group: gid_t?
        if let name = J.group {
            guard let found = Account.group(name) else {
                throw InvalidInput(field: "group", reason: "\(name.debugDescription) of kind \(J.kind) is not there")
            }
            guard own.canTake(group: found) else {
                throw InvalidInput(field: "group", reason: "of kind \(J.kind): only a worker that root runs can have others")
            }
            group = found
        }
        own.assign(user: account, group: group, to: &conditions)
        return conditions
    }

    /// What a child does for the worker it belongs to, by kind.
    static func bodies(_ jobs: [any Job.Type], _ middleware: [any Middleware]) -> [String: ChildMode.Body] {
        func body<J: Job>(_ type: J.Type) -> ChildMode.Body {
            let body = JobBody(type, middleware: middleware)
            return body.run
        }
        var bodies: [String: ChildMode.Body] = [:]
        for job in jobs { bodies[job.kind] = body(job) }
        return bodies
    }
}

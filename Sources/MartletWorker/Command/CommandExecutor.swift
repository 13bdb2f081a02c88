import Foundation
import Glibc
import MartletCore
import Synchronization

/// Runs one command per job, in a session of its own.
///
/// Cancellation is SIGTERM to the whole group, later SIGKILL to every descendant, and reading goes on meanwhile: what a command
/// says while it is being stopped belongs to the error. When the command itself has ended its output has, too: processes it
/// left behind are killed, wherever they went.
struct CommandExecutor: Sendable {
    private let spec: CommandSpec
    private let environment: [String: String]

    init(_ spec: CommandSpec) {
        self.spec = spec
        _ = Self.ignoreBrokenPipes
        let ours = ProcessInfo.processInfo.environment
        var environment: [String: String] = [:]
        for name in CommandSpec.defaultEnvironment + spec.passedEnvironment {
            if let value = ours[name] { environment[name] = value }
        }
        for (name, value) in spec.environment { environment[name] = value }
        self.environment = environment
    }

    /// A command that does not read its input is no reason for the worker to die. Children start with the default again.
    private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

    func run(_ call: HandlerCall) async -> RunReport {
        let child = ChildProcess(killGrace: spec.killGrace)
        return await withTaskCancellationHandler {
            if child.isDoomed { return RunReport(.interrupted) }
            return await execute(call, child)
        } onCancel: {
            child.terminate()
        }
    }

    private func execute(_ call: HandlerCall, _ child: ChildProcess) async -> RunReport {
        guard let request = request(call) else {
            return RunReport(.retry(CommandFailure.unable(spec, reason: "no such program in PATH")))
        }
        let input: InputWriter
        let output: OutputReader
        let errors: OutputReader
        do {
            let (theirInput, ourInput) = try Descriptor.pipe()
            let (ourOutput, theirOutput) = try Descriptor.pipe()
            let (ourErrors, theirErrors) = try Descriptor.pipe()
            try child.start(request, [theirInput, theirOutput, theirErrors])
            input = InputWriter(ourInput, call.args.utf8)
            output = OutputReader(ourOutput, .head, limit: spec.resultBytes)
            errors = OutputReader(ourErrors, .tail, limit: spec.errorBytes)
        } catch {
            return RunReport(.retry(CommandFailure.unable(spec, reason: error.description)))
        }
        input.start()
        output.start()
        errors.start()
        let end = await child.end()
        input.finish()
        let (stdout, stderr) = (output.finish(), errors.finish())
        return RunReport(outcome(end, stdout, stderr), usage: end.usage)
    }

    private var limits: ProcessLimits { spec.conditions.limits }

    private func outcome(_ end: ChildEnd, _ stdout: CappedOutput, _ stderr: CappedOutput) -> Outcome {
        switch end {
        case .exited(0, _):
            .completed(result: CommandResult.json(stdout.bytes, total: stdout.count, limit: spec.resultBytes))
        case .unable(let step, let error):
            .retry(CommandFailure.unable(spec, reason: CommandFailure.reason(step, error, spec)))
        case .exited(let status, _):
            .retry(ChildFailure.explained(CommandFailure.exited(status, stderr: stderr), end, limits))
        case .killed(let cause, _):
            .retry(ChildFailure.explained(ChildFailure.killed(cause, limits: limits, stderr: stderr), end, limits))
        }
    }

    /// - Returns: nil when no such program is in `PATH`.
    private func request(_ call: HandlerCall) -> SpawnRequest? {
        guard let path = program else { return nil }
        var environment = environment
        environment["MARTLET_JOB_ID"] = "\(call.id)"
        environment["MARTLET_ATTEMPT"] = "\(call.attempt)"
        environment["MARTLET_KIND"] = call.kind
        environment["MARTLET_QUEUE"] = call.queue
        environment["MARTLET_LEASE"] = "\(call.lease)"
        return SpawnRequest(
            path: path, argv: spec.argv, environment: environment, directory: spec.workingDirectory,
            conditions: spec.conditions)
    }

    /// As the command's own `PATH` has it. Looked up again for each job: programs come and go.
    private var program: String? {
        let name = spec.argv[0]
        guard !name.utf8.contains(UInt8(ascii: "/")) else { return name }
        let path = environment["PATH"] ?? "/usr/bin:/bin"
        // Absolute directories alone: what a job's files are named must not decide which program runs.
        return path.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 && !Self.isDirectory($0) }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}

extension Handler {
    /// Jobs of the kind are run by a command; see ``CommandSpec``.
    package convenience init(
        kind: String, command: CommandSpec, concurrency: Int? = nil, adapts: Bool = false,
        timeout: Duration? = Limits.defaultTimeout,
        retry: RetryPolicy = RetryPolicy(), onBlock: OnBlock = .warn
    ) {
        let executor = CommandExecutor(command)
        self.init(
            // A command has its own grace; after SIGKILL only the kernel can keep it.
            kind: kind, concurrency: concurrency, adapts: adapts, timeout: timeout, retry: retry,
            unwind: command.killGrace + .seconds(5), usesProcesses: true, onBlock: onBlock,
            reporting: { await executor.run($0) })
    }
}

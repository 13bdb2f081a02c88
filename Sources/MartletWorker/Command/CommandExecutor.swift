import Foundation
import Glibc
import MartletCore
import Subprocess
import Synchronization
import SystemPackage

/// Runs one command per job, in a session of its own.
///
/// Cancellation is SIGTERM to the whole group, later SIGKILL, and reading goes on meanwhile: what a command says while it is
/// being stopped belongs to the error. When the command itself has ended its output has, too: processes it left behind that
/// keep the pipes open are not waited for, but killed.
struct CommandExecutor: Sendable {
    private let spec: CommandSpec
    private let environment: [Environment.Key: String]

    init(_ spec: CommandSpec) {
        self.spec = spec
        _ = Self.ignoreBrokenPipes
        let ours = ProcessInfo.processInfo.environment
        var environment: [Environment.Key: String] = [:]
        for name in CommandSpec.defaultEnvironment + spec.passedEnvironment {
            if let value = ours[name] { environment[Environment.Key(stringLiteral: name)] = value }
        }
        for (name, value) in spec.environment { environment[Environment.Key(stringLiteral: name)] = value }
        self.environment = environment
    }

    /// A command that does not read its input is no reason for the worker to die. Children start with the default again.
    private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

    func run(_ call: HandlerCall) async -> Outcome {
        let child = Child(killGrace: spec.killGrace)
        return await withTaskCancellationHandler {
            if child.isDoomed { return .interrupted }
            // A task of its own, because reading ends when its task is cancelled, before the command does.
            return await Task.detached { await execute(call, child) }.value
        } onCancel: {
            child.terminate()
        }
    }

    private func execute(_ call: HandlerCall, _ child: Child) async -> Outcome {
        defer { child.ended() }
        do {
            let result = try await Subprocess.run(
                configuration(call), input: .inputWriter, output: .sequence, error: .sequence
            ) { execution in
                child.started(group: execution.processIdentifier.value)
                async let stdout = Self.collect(execution.standardOutput, .head, limit: spec.resultBytes)
                async let stderr = Self.collect(execution.standardError, .tail, limit: spec.errorBytes)
                do {
                    _ = try await execution.standardInputWriter.write(call.args.utf8)
                    try await execution.standardInputWriter.finish()
                } catch {
                    // It ended, or closed its input, before it read all: that is its right. Its status says how it went.
                }
                return try await (stdout: stdout, stderr: stderr)
            }
            let (stdout, stderr) = result.closureResult
            guard result.terminationStatus.isSuccess else {
                return .retry(CommandFailure.error(result.terminationStatus, stderr: stderr))
            }
            return .completed(
                result: CommandResult.json(stdout.bytes, total: stdout.count, limit: spec.resultBytes))
        } catch {
            return .retry(CommandFailure.error(error, spec: spec))
        }
    }

    private static func collect(
        _ output: SubprocessOutputSequence, _ part: CappedOutput.Part, limit: Int
    ) async throws -> CappedOutput {
        var kept = CappedOutput(part, limit: limit)
        for try await buffer in output { buffer.withUnsafeBytes { kept.append($0) } }
        return kept
    }

    private func configuration(_ call: HandlerCall) -> Configuration {
        var environment = environment
        environment["MARTLET_JOB_ID"] = "\(call.id)"
        environment["MARTLET_ATTEMPT"] = "\(call.attempt)"
        environment["MARTLET_KIND"] = call.kind
        environment["MARTLET_QUEUE"] = call.queue
        environment["MARTLET_LEASE"] = "\(call.lease)"
        var options = PlatformOptions()
        options.createSession = true
        // For when reading fails and nobody will know how the command ends.
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let program = spec.argv[0]
        return Configuration(
            executable: program.utf8.contains(UInt8(ascii: "/")) ? .path(FilePath(program)) : .name(program),
            arguments: Arguments(executablePathOverride: program, remainingValues: Array(spec.argv.dropFirst())),
            environment: .custom(environment), workingDirectory: spec.workingDirectory.map { FilePath($0) },
            platformOptions: options)
    }
}

extension Handler {
    /// Jobs of the kind are run by a command; see ``CommandSpec``.
    package init(
        kind: String, command: CommandSpec, concurrency: Int? = nil, timeout: Duration? = Limits.defaultTimeout,
        retry: RetryPolicy = RetryPolicy()
    ) {
        let executor = CommandExecutor(command)
        self.init(
            // A command has its own grace; after SIGKILL only the kernel can keep it.
            kind: kind, concurrency: concurrency, timeout: timeout, retry: retry, unwind: command.killGrace + .seconds(5),
            run: { await executor.run($0) })
    }
}

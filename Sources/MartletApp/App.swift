import ArgumentParser
import Glibc
import MartletCore
import MartletStore

/// The whole program behind `main`.
package enum App {
    /// Runs with the process's own arguments, environment and streams.
    package static func main() async -> Int32 {
        // A reader that leaves early, or a file at its size limit, is an error of one write, not the end of the process.
        // Handlers that do nothing, because an ignored signal would stay ignored in the commands a worker starts.
        signal(SIGPIPE) { _ in }
        signal(SIGXFSZ) { _ in }
        let console = Console.process()
        guard let arguments = ProcessArguments.all() else {
            return say("martlet: an argument is not UTF-8 text", ExitStatus.usage.rawValue, console)
        }
        return await run(arguments: arguments, console: console)
    }

    /// - Returns: the exit status.
    package static func run(arguments: [String], console: Console) async -> Int32 {
        do {
            return try await execute(arguments, console)
        } catch let closed as OutputClosed {
            return closed.isReaderGone ? ExitStatus.done.rawValue : cannotWrite(closed, console)
        } catch {
            let failure = failure(for: error)
            return say("martlet: \(SafeText.block(failure.message))", failure.status.rawValue, console)
        }
    }

    private static func execute(_ arguments: [String], _ console: Console) async throws -> Int32 {
        if let command = enqueue(arguments) { return try await command.execute(console).rawValue }
        let arguments = UnknownCommand.helpFirst(arguments)
        try UnknownCommand.check(arguments)
        let command: any ParsableCommand
        do {
            command = try Martlet.parseAsRoot(arguments)
        } catch {
            return try report(error, console)
        }
        guard let command = command as? any Command else {
            return try plain(command, console)
        }
        return try await command.execute(console).rawValue
    }

    /// The command that scripts call for each job, read without building the tree of all commands, which takes a millisecond.
    /// - Returns: nil for all others, and where the whole parser has to say something: help, the version, what is wrong.
    private static func enqueue(_ arguments: [String]) -> EnqueueCommand? {
        guard arguments.first == EnqueueCommand.name else { return nil }
        if let command = EnqueueCommand.plain(arguments.dropFirst()) { return command }
        do {
            return try EnqueueCommand.parsed(Array(arguments.dropFirst()))
        } catch {
            return nil
        }
    }

    /// Groups without a command of their own, and `help`: they only print.
    private static func plain(_ command: any ParsableCommand, _ console: Console) throws -> Int32 {
        var command = command
        do {
            try command.run()
            return ExitStatus.done.rawValue
        } catch {
            return try report(error, console)
        }
    }

    /// What the parser says: help goes to standard output, a mistake to standard error.
    private static func report(_ error: any Error, _ console: Console) throws -> Int32 {
        let isHelp = Martlet.exitCode(for: error).isSuccess
        let stream = isHelp ? console.output : console.errors
        let text = Martlet.fullMessage(for: error, columns: stream.terminal?.width ?? 80)
        guard !isHelp else {
            try stream.write(text.hasSuffix("\n") ? text : text + "\n")
            return ExitStatus.done.rawValue
        }
        let message = text.hasPrefix("Error: ") ? "martlet: " + text.dropFirst("Error: ".count) : text
        try stream.write(SafeText.block(message) + "\n")
        return ExitStatus.usage.rawValue
    }

    private static func failure(for error: any Error) -> Failure {
        switch error {
        case let failure as Failure: failure
        case let error as StoreError: Failure(error)
        case let error as InvalidInput: Failure(.usage, error.description)
        case is CancellationError: Failure(.failed, "interrupted")
        default: Failure(.failed, "\(error)")
        }
    }

    private static func cannotWrite(_ closed: OutputClosed, _ console: Console) -> Int32 {
        let reason = String(cString: strerror(closed.code))
        return say("martlet: cannot write the output: \(reason)", ExitStatus.failed.rawValue, console)
    }

    /// The last words; when not even standard error can be written, the exit status is all that is left to say.
    private static func say(_ text: String, _ status: Int32, _ console: Console) -> Int32 {
        do {
            try console.say(text)
        } catch {
            return status
        }
        return status
    }
}

extension Console {
    static func process() -> Console {
        let environment = ProcessEnvironment.all()
        let asks = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
        let answer: @Sendable () -> String? = { readLine() }
        return Console(
            environment: environment,
            output: .descriptor(STDOUT_FILENO, environment: environment),
            errors: .descriptor(STDERR_FILENO, environment: environment),
            input: STDIN_FILENO,
            answer: asks ? answer : nil,
            now: { Timestamp(microseconds: WallClock.microseconds()) }, trapSignals: StopSignals.trapped)
    }
}

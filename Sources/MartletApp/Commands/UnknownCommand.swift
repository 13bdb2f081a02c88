import ArgumentParser
import MartletCore

/// Names the nearest command where somebody mistyped one; the parser by itself only says "unexpected argument".
enum UnknownCommand {
    /// What may stand in place of a command.
    private static let own = ["-h", "--help", "--version", "--generate-completion-script", "--experimental-dump-help"]

    static func check(_ arguments: [String]) throws(Failure) {
        var command: any ParsableCommand.Type = Martlet.self
        var path = ["martlet"]
        if let first = arguments.first, first.hasPrefix("-"), !own.contains(where: first.hasPrefix) {
            throw Failure(
                .usage,
                "option \(first.debugDescription) stands before the command; options follow it, as in `martlet jobs list --json`"
            )
        }
        for argument in arguments {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty, !argument.hasPrefix("-"), argument != "help" else { return }
            let names = subcommands.compactMap { $0.configuration.commandName }
            guard let next = subcommands.first(where: { $0.configuration.commandName == argument }) else {
                throw unknown(argument, in: path, names)
            }
            command = next
            path.append(argument)
        }
    }

    /// `martlet jobs help` and `martlet jobs help list` mean what `martlet help jobs list` says.
    static func helpFirst(_ arguments: [String]) -> [String] {
        guard arguments.count > 1, arguments[1] == "help",
            let group = Martlet.configuration.subcommands.first(where: { $0.configuration.commandName == arguments[0] }),
            !group.configuration.subcommands.isEmpty
        else { return arguments }
        return ["help", arguments[0]] + arguments.dropFirst(2)
    }

    private static func unknown(_ argument: String, in path: [String], _ names: [String]) -> Failure {
        let place = path.joined(separator: " ")
        let known =
            Suggestion.nearest(to: argument, in: names).map { "did you mean `\(place) \($0)`?" }
            ?? "there is \(names.joined(separator: ", "))"
        return Failure(.usage, "unknown command \(argument.debugDescription); \(known)\nSee '\(place) --help'.")
    }
}

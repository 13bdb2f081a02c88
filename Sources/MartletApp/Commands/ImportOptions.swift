import ArgumentParser
import MartletCore

/// Where `enqueue --from` reads, and how.
struct ImportOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read jobs from a file, one a line; - is standard input.", valueName: "file"))
    var from: String?

    @Flag(help: "Each line is an object with args, queue, priority, run_at.")
    var envelope = false

    @Flag(help: "CSV with a header instead of JSON lines.")
    var csv = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Go on at this line of the file, where an import stopped.", valueName: "number"))
    var startLine: String?

    func check() throws(InvalidInput) {
        guard from == nil else {
            if envelope, csv { throw InvalidInput(field: "--csv", reason: "cannot be used together with --envelope") }
            return
        }
        for (option, given) in [("--envelope", envelope), ("--csv", csv), ("--start-line", startLine != nil)] where given {
            throw InvalidInput(field: option, reason: "goes with --from")
        }
    }
}

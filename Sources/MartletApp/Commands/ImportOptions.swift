import ArgumentParser
import MartletCore

/// Where `enqueue --from` reads, and how.
struct ImportOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read jobs from a file, one a line; - is standard input, where jobs that wait are enqueued as soon as it pauses.",
            valueName: "file"))
    var from: String?

    @Flag(help: "Each line is an object with any of \(EnvelopeReader.keys.joined(separator: ", ")).")
    var envelope = false

    @Flag(help: "CSV with a header instead of JSON lines; all values are strings in args.")
    var csv = false

    @Option(
        help: ArgumentHelp("What stands between the columns of CSV; tab for a tab. (default: ,)", valueName: "character"))
    var delimiter: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Go on at this line of the file, where an import stopped.", valueName: "number"))
    var startLine: String?

    func check() throws(InvalidInput) {
        guard from == nil else {
            if delimiter != nil, !csv { throw InvalidInput(field: "--delimiter", reason: "goes with --csv") }
            if envelope, csv { throw InvalidInput(field: "--csv", reason: "cannot be used together with --envelope") }
            return
        }
        let options = [
            ("--envelope", envelope), ("--csv", csv), ("--delimiter", delimiter != nil), ("--start-line", startLine != nil),
        ]
        for (option, given) in options where given {
            throw InvalidInput(field: option, reason: "goes with --from")
        }
    }

    func delimiterByte() throws(InvalidInput) -> UInt8 {
        guard let delimiter, delimiter != "tab", delimiter != "\\t" else {
            return UInt8(ascii: delimiter == nil ? "," : "\t")
        }
        // Letters and digits are no mistake worth finding here; what would break lines or quotes is.
        guard delimiter.utf8.count == 1, let byte = delimiter.utf8.first, !"\"\r\n\0".utf8.contains(byte) else {
            throw InvalidInput(
                field: "--delimiter", reason: "\(delimiter.debugDescription) is not one ASCII character, nor the word tab")
        }
        return byte
    }
}

import Foundation
import Glibc

/// What the command line says.
struct BenchOptions {
    var runs = 5
    /// How long the cases take that run for a while.
    var minutes = 1.0
    var json: String?
    var cases = Case.all

    /// What is wanted: cases to be run, or something to read.
    enum Request {
        case run(BenchOptions)
        case say(String)
    }

    /// - Throws: ``UsageMistake``.
    static func request(_ arguments: [String]) throws -> Request {
        if arguments.contains(where: { $0 == "--help" || $0 == "-h" }) { return .say(help) }
        var options = BenchOptions()
        var (chosen, lists) = ([String](), false)
        var words = arguments.flatMap(parts)[...]
        while let word = words.popFirst() {
            switch word {
            case "--runs":
                options.runs = try value(of: word, &words, "a number from 1 to 1000") {
                    Int($0).flatMap { (1...1_000).contains($0) ? $0 : nil }
                }
            case "--minutes":
                options.minutes = try value(of: word, &words, "a number above 0, 1440 at most") {
                    Double($0).flatMap { $0 > 0 && $0 <= 1_440 ? $0 : nil }
                }
            case "--json":
                options.json = try value(of: word, &words, "the name of a file that can be written") { path in
                    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
                    guard descriptor >= 0 else { return nil }
                    close(descriptor)
                    return path
                }
            case "--list": lists = true
            case _ where word.hasPrefix("-"): throw UsageMistake("unknown option \(word)")
            case _: chosen.append(word)
            }
        }
        options.cases = try Case.chosen(by: chosen)
        return lists ? .say(list(options.cases)) : .run(options)
    }

    /// `--runs=3` means `--runs 3`.
    private static func parts(of word: String) -> [String] {
        word.hasPrefix("--")
            ? word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) : [word]
    }

    private static func value<Value>(
        of option: String, _ words: inout ArraySlice<String>, _ what: String, _ read: (String) -> Value?
    ) throws -> Value {
        guard let word = words.popFirst() else { throw UsageMistake("\(option) needs \(what)") }
        guard let value = read(word) else { throw UsageMistake("\(option) needs \(what), not \(word)") }
        return value
    }

    // MARK: To read

    private static let help = """
        MartletBench: how fast Martlet is on this machine, beside raw floors and other queues.

        USAGE: MartletBench [--runs N] [--minutes N] [--json FILE] [CASE …]

          CASE         a name below, or the beginning of some: pg, sqlite.peers; all of them unless said
          --runs N     how often each is measured; medians are told (default: 5)
          --minutes N  how long those take that run for a while (default: 1)
          --json FILE  writes everything there, too, after each result
          --list       names the cases, or those of CASE, and runs none
          -h, --help   says this

        Each case says what it took. All of them are about half an hour for each run, those with --minutes besides.

        A case that measures PostgreSQL starts a server of its own. What it starts and writes is gone when it ends, also when
        Ctrl-C ends it; results so far stay in FILE. The exit status is 0 also when a target was missed, 1 when a case could not
        be carried out, 64 when the command line is not understood.

        CASES:
        \(list(Case.all))
        """

    private static func list(_ cases: [Case]) -> String {
        let width = Case.all.map(\.name.count).max() ?? 0
        return cases.map { one in
            "  \(one.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(one.what)"
        }.joined(separator: "\n")
    }
}

/// The command line is not understood.
struct UsageMistake: Error, CustomStringConvertible {
    static let status: Int32 = 64

    let description: String

    init(_ description: String) { self.description = "\(description); --help says what there is" }
}

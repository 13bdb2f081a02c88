import ArgumentParser

struct WorkerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The configuration file. (default: martlet.yaml)", valueName: "file"))
    var config: String?

    @Option(parsing: .unconditional, help: "At most this many jobs at a time. (default: 10)")
    var concurrency: String?

    @Option(help: ArgumentHelp("Only these queues, separated by commas. (default: all)", valueName: "a,b"))
    var queues: String?

    @Flag(
        help: "End when nothing is available, running or due; says how many jobs wait for a later time or in paused queues.")
    var drain = false

    @Flag(help: "With status 1 if a job ended failed.")
    var failOnError = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long running jobs may go on after SIGTERM. (default: 30s)", valueName: "duration"))
    var grace: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long this worker may be silent before others take its jobs. (default: 30s)", valueName: "duration"))
    var lease: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How often to look for work when nothing hints at any. (default: 1s)", valueName: "duration"))
    var poll: String?

    @Option(
        help: ArgumentHelp(
            "The PostgreSQL server's own address, where --database names a pooler: new jobs are heard of at once. Or set MARTLET_LISTEN_DATABASE_URL.",
            valueName: "url"))
    var listenDatabase: String?

    @Option(help: "What listings call this worker. (default: host:pid)")
    var name: String?

    @Option(
        help: ArgumentHelp("trace, debug, info, notice, warning, error or critical. (default: info)", valueName: "level"))
    var logLevel: String?

    @Option(help: ArgumentHelp("auto, text or json; auto is text on a terminal. (default: auto)", valueName: "format"))
    var logFormat: String?

    @Flag(help: "Log the args of each job. They may hold what no log should.")
    var logArgs = false
}

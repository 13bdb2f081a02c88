import MartletCore
import MartletStore
import MartletWorker

/// What `martlet.yaml` says. nil: it says nothing about that.
struct WorkerFile: Sendable {
    var database: DatabaseURL?
    var listening: PostgresAddress?
    var name: String?
    var queues: [String]?
    var concurrency: Int?
    var blockingThreads: Int?
    var lease: Duration?
    var poll: Duration?
    var grace: Duration?
    var maxMemory: Int?
    var retention = RetentionPolicy()
    /// Besides ``Redaction/defaultKeys``.
    var redact: [String] = []
    var kinds: [KindSettings] = []

    static let example = """
        kinds:
          resize:
            command: [convert, "-", -resize, 200x, "png:-"]
            timeout: 30s
            concurrency: 4
            retry: { max: 5 }
        """

    /// Every key there is, for the help.
    static let reference = """
        # of the other commands in this directory, too; the option and the variable come first
        database: sqlite:martlet.db
        # the server's own address, where database names a pooler
        listen_database: postgres://worker@db1/jobs
        name: host:pid               # what listings call this worker
        queues: [default, images]    # default: all
        # jobs at a time, all kinds together; default: 10, and on top of
        # these what each kind with auto may have, 100 unless it says max
        concurrency: 10
        # for kinds that on_block: move sends there, all together
        blocking_threads: 64
        lease: 30s                   # silent for longer: others take its jobs
        poll: 1s                     # how often to look when nothing hints
        grace: 30s                   # for running jobs after SIGTERM
        # default: none. With more, it lets running jobs end, and begins
        # anew in the same process
        max_memory: 1GiB
        retention:                   # how long ended jobs are kept
          completed: 24h
          failed: 30d                # cancelled ones, too
        redact: [card_number]        # kept out of errors and logs, besides password, token and the like
        kinds:
          resize:
            # no shell: the program and its arguments
            command: [convert, "-", -resize, 200x, "png:-"]
            timeout: 10m             # then SIGTERM, and SIGKILL 5s later
            concurrency: 4           # default: only the worker's own limit
            # or auto, or { auto: { max: 64 } }: as many as do best
            # when a run blocks a thread that others share: warn names it,
            # move also gives the kind's runs threads of their own
            on_block: warn
            # max counts attempts, the first one included
            retry: { max: 25, base: 2s, cap: 24h, jitter: 0.2 }
            # passed on; always are PATH, HOME, LANG, LC_ALL, TZ, TMPDIR
            environment: [API_TOKEN]
            directory: /srv/images   # default: the worker's own
            # of the command and all it starts; default: none
            limits: { memory: 512MiB, cpu: 60s, files: 1024, processes: 64 }
            nice: 10                 # 0 to 19; default: the worker's own
          report:
            command: [./report]
            # one attempt more than delays
            retry: { delays: [1s, 10s, 5m] }   # or { policy: linear, base: 10s }, { policy: fixed, base: 30s }
            # or values to set
            environment: { MODE: nightly }
            user: nobody             # name or number, for a worker run by root
            group: nogroup           # default: the user's
          notify:
            http:                    # instead of command
              # {user}: that field of args, in path or query
              url: "https://example.com/users/{user}"
              method: POST           # or GET, HEAD, PUT, PATCH, DELETE
              headers:
                X-Source: martlet
                # secrets: from a variable of the worker's, or a file
                Authorization: { env: API_TOKEN, prefix: "Bearer " }
                X-Key: { file: /run/secrets/key }
              # completed, retry or discard; 4xx: the other ones
              statuses: { 404: completed, 4xx: discard }
              allow_private: false   # loopback, 10.0.0.0/8 and the like
              certificates: ca.pem   # to trust besides the system's
            concurrency: 200
        """

    private static let keys = [
        "database", "listen_database", "name", "queues", "concurrency", "blocking_threads", "lease", "poll", "grace",
        "max_memory", "retention",
        "redact",
        "kinds",
    ]

    init(parsing bytes: [UInt8], file: String) throws(InvalidInput) {
        guard let document = try YAMLDocument.parse(bytes, file: file) else {
            throw InvalidInput(field: file, reason: "is empty; for example:\n\(Self.example)")
        }
        let root = try document.mapping()
        try root.checkKeys(Self.keys)
        database = try Self.database(in: root)
        if let value = root["listen_database"] {
            let text = try value.text()
            listening = try value.checked { () throws(InvalidInput) in
                try DatabaseURL(parsing: text, field: "listen_database").listening(field: "listen_database")
            }
        }
        name = try root["name"].map { value throws(InvalidInput) in try value.name() }
        queues = try root["queues"].map { value throws(InvalidInput) in try value.names() }
        concurrency = try root["concurrency"].map { value throws(InvalidInput) in
            try value.integer(in: WorkerRanges.concurrency)
        }
        blockingThreads = try root["blocking_threads"].map { value throws(InvalidInput) in
            try value.integer(in: Limits.blockingThreads)
        }
        lease = try root["lease"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.lease) }
        poll = try root["poll"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.poll) }
        grace = try root["grace"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.grace) }
        maxMemory = try root["max_memory"].map { value throws(InvalidInput) in
            try value.bytes(in: Limits.workerMemory, atLeast: "16MiB")
        }
        if let value = root["retention"] { retention = try Self.retention(value.mapping()) }
        if let value = root["redact"] { redact = try value.texts() }
        guard let kinds = root["kinds"] else {
            throw document.invalid("declares no kinds; for example:\n\(Self.example)")
        }
        for (kind, value) in try kinds.mapping().entries { self.kinds.append(try KindSettings(kind: kind, value)) }
        guard !self.kinds.isEmpty else { throw kinds.invalid("declares no kind") }
    }

    private static func retention(_ mapping: YAMLMapping) throws(InvalidInput) -> RetentionPolicy {
        try mapping.checkKeys(["completed", "failed"])
        var policy = RetentionPolicy()
        if let value = mapping["completed"] { policy.completed = try value.duration(in: WorkerRanges.retention) }
        if let value = mapping["failed"] { policy.failed = try value.duration(in: WorkerRanges.retention) }
        return policy
    }
}

extension YAMLValue {
    func name() throws(InvalidInput) -> String {
        let text = try text()
        try checked { () throws(InvalidInput) in try Name.validate(text, field: path) }
        return text
    }

    func names() throws(InvalidInput) -> [String] {
        let values = try list()
        guard !values.isEmpty else { throw invalid("is an empty list; leave it out to take all") }
        return try values.map { value throws(InvalidInput) in try value.name() }
    }
}

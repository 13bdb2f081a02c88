import MartletCore
import MartletStore
import MartletWorker

/// What `martlet.yaml` says. nil: it says nothing about that.
struct WorkerFile: Sendable {
    var database: DatabaseURL?
    var name: String?
    var queues: [String]?
    var concurrency: Int?
    var lease: Duration?
    var poll: Duration?
    var grace: Duration?
    var retention = RetentionPolicy()
    var kinds: [KindSettings] = []

    static let example = """
        kinds:
          resize:
            command: [convert, "-", -resize, 200x, "png:-"]
            timeout: 30s
            concurrency: 4
            retry: { max: 5 }
        """

    private static let keys = ["database", "name", "queues", "concurrency", "lease", "poll", "grace", "retention", "kinds"]

    init(parsing bytes: [UInt8], file: String) throws(InvalidInput) {
        guard let document = try YAMLDocument.parse(bytes, file: file) else {
            throw InvalidInput(field: file, reason: "is empty; for example:\n\(Self.example)")
        }
        let root = try document.mapping()
        try root.checkKeys(Self.keys)
        if let value = root["database"] {
            let text = try value.text()
            database = try value.checked { () throws(InvalidInput) in try DatabaseURL(parsing: text, field: "database") }
        }
        name = try root["name"].map { value throws(InvalidInput) in try value.name() }
        queues = try root["queues"].map { value throws(InvalidInput) in try value.names() }
        concurrency = try root["concurrency"].map { value throws(InvalidInput) in
            try value.integer(in: WorkerRanges.concurrency)
        }
        lease = try root["lease"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.lease) }
        poll = try root["poll"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.poll) }
        grace = try root["grace"].map { value throws(InvalidInput) in try value.duration(in: WorkerRanges.grace) }
        if let value = root["retention"] { retention = try Self.retention(value.mapping()) }
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

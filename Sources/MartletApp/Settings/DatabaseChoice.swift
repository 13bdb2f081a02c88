import Glibc
import MartletCore
import MartletWorker

/// A database, and where a person named it: what is wrong with it is put right there.
struct DatabaseChoice: Sendable, Equatable {
    enum Source: Sendable, Equatable {
        case option, variable
        /// The `database` of a configuration file.
        case file(String)
        case standard
    }

    let url: DatabaseURL
    let source: Source

    /// For a person who wonders why it is this one.
    var origin: String {
        switch source {
        case .option: "from --database"
        case .variable: "from \(DatabaseURL.variable)"
        case .file(let name): "from \(name)"
        case .standard: "the default"
        }
    }

    /// What goes wrong there, with where it was named. Whoever has just typed it knows, and a file that is missing says it all.
    func explain(_ failure: Failure) -> Failure {
        guard failure.status == .database else { return failure }
        switch source {
        case .option, .standard: return failure
        case .variable, .file: return Failure(.database, "\(failure.message) (the database is \(origin))")
        }
    }
}

extension WorkerFile {
    /// The name that is looked for in the directory.
    static let standardName = "martlet.yaml"

    /// What the file in this directory says of the database. A command that runs no jobs minds nothing else in it.
    /// - Returns: nil: there is no file, or it does not say.
    static func databaseHere() throws -> DatabaseURL? {
        guard access(standardName, F_OK) == 0 else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try SmallFile.read(standardName, limit: 1 << 20, field: standardName)
        } catch let error as SmallFile.Missing {
            throw InvalidInput(
                field: standardName, reason: "cannot be read: \(error.reason); it may name the database, or --database does")
        }
        guard let document = try YAMLDocument.parse(bytes, file: standardName) else { return nil }
        return try database(in: document.mapping())
    }

    static func database(in root: YAMLMapping) throws(InvalidInput) -> DatabaseURL? {
        guard let value = root["database"] else { return nil }
        let text = try value.text()
        return try value.checked { () throws(InvalidInput) in try DatabaseURL(parsing: text, field: "database") }
    }
}

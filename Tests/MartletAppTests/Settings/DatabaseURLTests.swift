import MartletCore
import Testing

@testable import MartletApp

@Suite struct DatabaseURLTests {
    @Test(arguments: [
        ("sqlite:martlet.db", "martlet.db"), ("sqlite:/srv/jobs.db", "/srv/jobs.db"),
        ("sqlite:///srv/jobs.db", "/srv/jobs.db"),
        ("jobs.db", "jobs.db"), ("./a b/jobs.db", "./a b/jobs.db"), ("SQLite:x", "x"), ("sqlite:C:x.db", "C:x.db"),
    ])
    func `a path is taken with the scheme and without`(text: String, path: String) throws {
        #expect(try DatabaseURL(parsing: text, field: "--database") == .sqlite(path: path))
    }

    @Test(arguments: ["postgres://u:secret@host/db", "postgresql://u:secret@host/db?password=secret", "postgres://"])
    func `a PostgreSQL URL is shown without its password`(text: String) throws {
        let url = try DatabaseURL(parsing: text, field: "--database")
        for shown in [url.text, "\(url)", String(reflecting: url)] {
            #expect(shown.contains("postgres://"))
            #expect(!shown.contains("secret"))
        }
    }

    @Test(arguments: [
        ("postgres://u:secret@[host/db", "not a URL that libpq can read"),
        ("postgresql:secret", "not a URL that libpq can read"), ("postgre://u:secret@h/d", "did you mean postgres?"),
        ("mysql://u:secret@host/db", "unknown scheme mysql:"), ("sqlit:secret.db", "did you mean sqlite?"),
        ("sqlite://secret/jobs.db", "takes no host"), ("sqlite:", "names no file"), ("sqlite::memory:", "forget every job"),
        ("", "is empty"), ("secret", "neither a URL nor a path"),
    ])
    func `what cannot be used is refused without repeating a password`(text: String, reason: String) {
        let error = #expect(throws: InvalidInput.self) { try DatabaseURL(parsing: text, field: "--database") }
        #expect(error?.field == "--database")
        #expect(error?.reason.contains(reason) == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `a URL may name the schema, which is not libpq's to know`() throws {
        guard
            case .postgres(let address) = try DatabaseURL(
                parsing: "postgres://u@h/d?sslmode=require&schema=Mar%22%20t&application_name=x", field: "--database")
        else {
            Issue.record("another engine")
            return
        }
        #expect(address.schema == "Mar\" t")
        #expect(address.url == "postgres://u@h/d?sslmode=require&application_name=x")
        #expect(address.description.hasSuffix(#"(schema Mar" t)"#))
        guard case .postgres(let only) = try DatabaseURL(parsing: "postgres://h/d?schema=a", field: "--database") else {
            Issue.record("another engine")
            return
        }
        #expect(only.url == "postgres://h/d" && only.schema == "a")
    }

    @Test(arguments: [
        "postgres://h/d?schema=", "postgres://h/d?schema=pg_x", "postgres://h/d?schema=%FF",
        "postgres://h/d?schema=\(String(repeating: "x", count: 55))",
    ])
    func `a schema that cannot be one is refused`(_ url: String) {
        let error = #expect(throws: InvalidInput.self) { try DatabaseURL(parsing: url, field: "--database") }
        #expect(error?.field.hasPrefix("--database") == true)
    }

    @Test func `a parameter that nobody knows is named, with those there are`() {
        func reason(_ url: String) -> String {
            #expect(throws: InvalidInput.self) { try DatabaseURL(parsing: url, field: "--database") }?.reason ?? ""
        }
        let unknown = reason("postgres://u:secret@h/d?sslmode=require&foo=bar")
        #expect(unknown.hasPrefix("the parameter foo is unknown; known are "), "\(unknown)")
        for name in ["application_name", "pooler", "schema", "sslmode", "target_session_attrs"] {
            #expect(unknown.contains(name))
        }
        #expect(!unknown.contains("secret") && !unknown.contains("bar"))
        #expect(reason("postgres://h/d?sslmod=require").contains("sslmod is unknown; did you mean sslmode?"))
        // What may be a part of a password is none.
        #expect(!reason("postgres://u:a/b?secret=1@h/d").contains("secret"))
    }
}

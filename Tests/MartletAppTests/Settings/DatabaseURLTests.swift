import MartletApp
import MartletCore
import Testing

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
}

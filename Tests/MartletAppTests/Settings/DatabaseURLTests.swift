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

    @Test(arguments: [
        ("postgres://u:secret@host/db", "PostgreSQL comes with the next version"),
        ("postgresql://u:secret@host/db", "PostgreSQL comes with the next version"),
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

import Glibc

/// Ctrl-C and SIGTERM end the run at once; what is to be cleaned up, others do (``Workshop``, the server's leash).
enum Interrupts {
    private static let text: StaticString =
        "\nMartletBench: stopped; results so far are in the file that --json named, if one was\n"

    static func tell() {
        for number in [SIGINT, SIGTERM] {
            // Only what a signal's handler may do.
            signal(number) { number in
                write(2, Interrupts.text.utf8Start, Interrupts.text.utf8CodeUnitCount)
                _exit(128 + number)
            }
        }
    }
}

/// The version of Martlet that this program was built with: what `--version` prints and a worker registers with.
package enum Version {
    package static let current = "0.1.0"
}

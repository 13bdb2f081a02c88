import MartletCore

/// How far an import is; all of it is durable.
package struct ImportProgress: Sendable, Equatable {
    package var enqueued = 0
    package var firstID: JobID?
    package var lastID: JobID?
    /// Lines behind us, with skipped, blank and header lines.
    package var lines = 0
    package var bytes = 0
    /// nil when the source has no known end: a pipe, a terminal.
    package var totalBytes: Int?
    package var seconds = 0.0

    package init() {}
}

/// The last progress, when everything has been enqueued.
package typealias ImportReport = ImportProgress

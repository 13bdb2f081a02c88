import MartletCore

package struct SQLiteOptions: Sendable {
    package var path: String
    /// Whether a missing file is made. When it is not, opening one is an error that says so.
    package var create: Bool
    /// Whether an older schema is brought up to date while opening.
    package var migrate: Bool
    /// How long to wait for other writers before a call fails as unavailable.
    package var busyTimeout: Duration
    package var clock: any StoreClock

    package init(
        path: String, create: Bool = true, migrate: Bool = true, busyTimeout: Duration = .seconds(10),
        clock: any StoreClock = SystemStoreClock()
    ) {
        self.path = path
        self.create = create
        self.migrate = migrate
        self.busyTimeout = busyTimeout
        self.clock = clock
    }
}

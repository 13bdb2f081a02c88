import Foundation

/// How much of a fault: little in every test run, all of it with `make faults`.
enum Dose {
    static let isFull = ProcessInfo.processInfo.environment["MARTLET_FAULT_DOSE"] == "full"

    static func of<T>(_ small: T, full: T) -> T { isFull ? full : small }
}

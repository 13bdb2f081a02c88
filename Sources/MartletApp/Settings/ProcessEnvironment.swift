import Foundation

enum ProcessEnvironment {
    static func all() -> [String: String] {
        var all: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            // By bytes: what a character is takes tables that a program that has just started has to fetch first.
            if let equals = line.utf8.firstIndex(of: UInt8(ascii: "=")) {
                all[String(line[..<equals])] = String(line[line.utf8.index(after: equals)...])
            }
            entry += 1
        }
        return all
    }
}

enum WallClock {
    /// Since 1970, for showing how long ago something was; no decision about a job depends on it.
    static func microseconds() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1_000_000)
    }
}

enum ProcessArguments {
    /// Without the program's name. nil when one is not UTF-8: repaired silently, it would be another one.
    static func all() -> [String]? {
        var all: [String] = []
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = CommandLine.unsafeArgv[index], let text = String(validatingCString: argument) else {
                return nil
            }
            all.append(text)
        }
        return all
    }
}

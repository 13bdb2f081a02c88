import ArgumentParser

/// `enqueue` as scripts call it for each job: KIND, ARGS-JSON and options with their values, and nothing to explain.
///
/// The argument parser takes two milliseconds to find out what options there are, most of it in the runtime's looks for
/// conformances: a fifth of all that one `enqueue` does.
extension EnqueueCommand {
    /// - Returns: nil where anything else stands, right or wrong: then the parser reads it.
    static func plain(_ arguments: ArraySlice<String>) -> EnqueueCommand? {
        var words: [String] = []
        var values: [String: String] = [:]
        var isJSON = false
        var rest = arguments
        while let word = rest.popFirst() {
            if word == "--json", !isJSON {
                isJSON = true
            } else if word.hasPrefix("--") {
                guard let value = rest.popFirst(), !value.hasPrefix("-"), values.updateValue(value, forKey: word) == nil
                else {
                    return nil
                }
            } else {
                guard !word.hasPrefix("-") else { return nil }
                words.append(word)
            }
        }
        guard words.count == 1 || words.count == 2 else { return nil }
        let command = EnqueueCommand(
            kind: words[0], args: words.count == 2 ? words[1] : nil, isJSON: isJSON, taking: &values)
        // An option that is not known here.
        return values.isEmpty ? command : nil
    }

    static func parsed(_ arguments: [String]) throws -> EnqueueCommand? { try parseAsRoot(arguments) as? EnqueueCommand }

    /// All properties must be given: one that is not ends the program when it is read.
    private init(kind: String, args: String?, isJSON: Bool, taking values: inout [String: String]) {
        self.init()
        self.kind = kind
        self.args = args
        argsFile = values.removeValue(forKey: "--args-file")
        job = JobOptions(taking: &values)
        source = ImportOptions.none
        format = FormatOptions()
        format.json = isJSON
        database = DatabaseOptions()
        database.database = values.removeValue(forKey: "--database")
        database.schema = values.removeValue(forKey: "--schema")
    }
}

extension JobOptions {
    fileprivate init(taking values: inout [String: String]) {
        self.init()
        queue = values.removeValue(forKey: "--queue")
        priority = values.removeValue(forKey: "--priority")
        delay = values.removeValue(forKey: "--in")
        moment = values.removeValue(forKey: "--at")
        expiresIn = values.removeValue(forKey: "--expires-in")
        expiresAt = values.removeValue(forKey: "--expires-at")
        maxAttempts = values.removeValue(forKey: "--max-attempts")
        timeout = values.removeValue(forKey: "--timeout")
        maxArgsBytes = values.removeValue(forKey: "--max-args-bytes")
    }
}

extension ImportOptions {
    fileprivate static var none: ImportOptions {
        var options = ImportOptions()
        options.from = nil
        options.envelope = false
        options.csv = false
        options.delimiter = nil
        options.startLine = nil
        return options
    }
}

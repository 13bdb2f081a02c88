import MartletCore
import Testing

/// What a person reads when an input is refused.
func rejection(_ body: () throws(InvalidInput) -> Void) -> String {
    do {
        try body()
        Issue.record("was not refused")
        return ""
    } catch {
        return error.description
    }
}

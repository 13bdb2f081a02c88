import MartletCore
import Testing

struct PriorityTests {
    @Test func `zero to nine are priorities, five is the default, zero comes first`() throws {
        for value in 0...9 { #expect(try Priority(validating: value).rawValue == value) }
        #expect(Priority.default.rawValue == 5)
        #expect(try Priority(validating: 0) < Priority(validating: 9))
    }

    @Test(arguments: [-1, 10, .max, .min])
    func `others are refused`(value: Int) {
        #expect(Priority(rawValue: value) == nil)
        let said = rejection { () throws(InvalidInput) in _ = try Priority(validating: value) }
        #expect(said == "priority: \(value) is out of range; 0 (most urgent) to 9")
    }
}

import Testing

@testable import MartletPQ

@Suite struct BacklogTests {
    private func moment(_ seconds: Int) -> Moment { Moment(nanoseconds: 0) + .seconds(seconds) }

    @Test func `requests leave in the order they came, and one that is given back goes first`() {
        var backlog = Backlog<Int>(bound: 10)
        for number in 1...3 { #expect(backlog.add(number, deadline: .never) == true) }
        #expect(backlog.popFirst() == 1)
        backlog.giveBack(1, deadline: .never)
        #expect(backlog.removeAll() == [1, 2, 3])
        #expect(backlog.isEmpty)
    }

    @Test func `a full backlog refuses, but takes back`() {
        var backlog = Backlog<Int>(bound: 1)
        #expect(backlog.add(1, deadline: .never) == true)
        #expect(backlog.add(2, deadline: .never) == false)
        backlog.giveBack(0, deadline: .never)
        #expect(backlog.removeAll() == [0, 1])
    }

    @Test func `those whose time is over leave, the others keep their places`() {
        var backlog = Backlog<Int>(bound: 10)
        for (number, deadline) in [(1, 5), (2, 3), (3, 9), (4, 3)] { _ = backlog.add(number, deadline: moment(deadline)) }
        #expect(backlog.nextEvent == moment(3))
        #expect(backlog.expire(now: moment(2)) == [])
        #expect(backlog.expire(now: moment(3)) == [2, 4])
        #expect(backlog.nextEvent == moment(5))
        #expect(backlog.remove { $0 == 3 } == [3])
        #expect(backlog.removeAll() == [1])
    }

    @Test func `one whose requests were all sent has nothing to expire, and takes more`() {
        var backlog = Backlog<Int>(bound: 1)
        #expect(backlog.add(1, deadline: moment(1)) == true)
        #expect(backlog.popFirst() == 1)
        #expect(backlog.expire(now: moment(2)) == [])
        #expect(backlog.nextEvent == .never)
        #expect(backlog.add(2, deadline: moment(3)) == true)
        #expect(backlog.expire(now: moment(3)) == [2])
    }

    @Test func `a long queue stays in order while it grows and shrinks`() {
        var backlog = Backlog<Int>(bound: .max)
        var expected = 0
        for number in 0..<10_000 {
            _ = backlog.add(number, deadline: .never)
            if number % 3 != 0 {
                #expect(backlog.popFirst() == expected)
                expected += 1
            }
        }
        #expect(backlog.removeAll() == Array(expected..<10_000))
    }
}

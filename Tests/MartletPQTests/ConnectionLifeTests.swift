import Testing

@testable import MartletPQ

@Suite struct ConnectionLifeTests {
    private let start = Moment(nanoseconds: 0)

    private func pause(_ life: ConnectionLife, since now: Moment) -> Duration { life.wakes - now }

    @Test func `nobody connects before somebody asks, and then once`() {
        var life = ConnectionLife()
        #expect(life.wakes == .never)
        #expect(life.want() == true)
        #expect(life.want() == false)
        #expect(life.connected() == true)
        #expect(life.isReady)
        #expect(life.want() == false)
    }

    @Test func `pauses double up to five seconds, half of each by chance`() {
        var life = ConnectionLife()
        _ = life.want()
        var pauses: [Duration] = []
        for _ in 0..<10 {
            life.failed(now: start, random: 0)
            pauses.append(pause(life, since: start))
            let isTrying = life.tick(now: life.wakes, isNeeded: true)
            #expect(isTrying)
        }
        #expect(pauses.prefix(4) == [.milliseconds(25), .milliseconds(50), .milliseconds(100), .milliseconds(200)])
        #expect(pauses.last == .milliseconds(2_500))
        life.failed(now: start, random: 0.999)
        #expect(pause(life, since: start) > .milliseconds(4_900) && pause(life, since: start) < .seconds(5))
    }

    @Test func `a server that lets in and throws out is tried ever more slowly, one that answers at once`() {
        var life = ConnectionLife()
        _ = life.want()
        for _ in 0..<8 {
            _ = life.connected()
            life.failed(now: start, random: 0)
            _ = life.tick(now: life.wakes, isNeeded: true)
        }
        _ = life.connected()
        life.failed(now: start, random: 0)
        #expect(pause(life, since: start) == .milliseconds(2_500))
        _ = life.tick(now: life.wakes, isNeeded: true)
        _ = life.connected()
        life.proved()
        life.failed(now: start, random: 0)
        #expect(pause(life, since: start) == .milliseconds(25))
    }

    @Test func `when the pause ends and nobody waits, nothing is tried`() {
        var life = ConnectionLife()
        _ = life.want()
        life.failed(now: start, random: 0)
        let isEarly = life.tick(now: start, isNeeded: true)
        #expect(!isEarly)
        let isTrying = life.tick(now: life.wakes, isNeeded: false)
        #expect(!isTrying && life.state == .dormant)
    }

    @Test func `a connection that comes after the end is not kept`() {
        var life = ConnectionLife()
        _ = life.want()
        life.close()
        #expect(life.connected() == false)
        life.failed(now: start, random: 0)
        #expect(life.state == .closed && life.want() == false)
    }
}

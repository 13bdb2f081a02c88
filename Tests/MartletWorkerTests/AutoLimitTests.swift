import Foundation
import Testing

@testable import MartletWorker

/// The limit against models of what stands behind a kind, a window a second.
@Suite struct AutoLimitTests {
    /// What so many at a time come to, per second.
    struct Reply {
        var good: Double
        var failed = 0.0
    }

    struct Model: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var length = 60
        let reply: @Sendable (_ limit: Int, _ second: Int) -> Reply
    }

    /// So many do what they can in that time; each one more takes away from the others.
    private static func places(_ places: Double, _ seconds: Double, harm: Double = 0) -> @Sendable (Int) -> Reply {
        { limit in
            let limit = Double(limit)
            let full = min(limit, places) / seconds
            return Reply(good: limit > places ? full / (1 + harm * (limit - places) / places) : full)
        }
    }

    /// 429 above so many a second, answered in a fifth of the time.
    private static func rate(_ most: Double, _ seconds: Double) -> @Sendable (Int) -> Reply {
        { limit in
            let asked = Double(limit) / seconds
            guard asked > most else { return Reply(good: asked) }
            return Reply(good: most, failed: (Double(limit) - most * seconds) / (seconds / 5))
        }
    }

    private static func steady(_ name: String, _ reply: @escaping @Sendable (Int) -> Reply) -> Model {
        Model(testDescription: name) { limit, _ in reply(limit) }
    }

    private static func changing(
        _ name: String, _ before: @escaping @Sendable (Int) -> Reply, _ after: @escaping @Sendable (Int) -> Reply
    ) -> Model {
        Model(testDescription: name, length: 120) { limit, second in second < 60 ? before(limit) : after(limit) }
    }

    static let models = [
        steady("two processors", places(2, 0.02)),
        steady("two processors that suffer from more", places(2, 0.02, harm: 0.1)),
        steady("long runs on two processors", places(2, 0.5)), steady("8 connections", places(8, 0.05, harm: 0.05)),
        steady("429 above 50/s", rate(50, 0.1)), steady("429 above 50/s, quick answers", rate(50, 0.02)),
        steady("200 places", places(200, 0.1)),
        steady("60 % errors whatever the limit") { limit in
            let all = places(16, 0.05)(limit).good
            return Reply(good: all * 0.4, failed: all * 0.6)
        },
        changing("8 places, then 2", places(8, 0.05), places(2, 0.05, harm: 0.2)),
        changing("2 places, then 32", places(2, 0.05), places(32, 0.05)),
        changing("64 places, then 4", places(64, 0.05), places(4, 0.05, harm: 0.1)),
    ]

    @Test(arguments: models, [0.0, 0.03, 0.1])
    func `it comes within 15 % of the best fixed limit in a minute`(model: Model, noise: Double) {
        let best = (1...1_000).map { model.reply($0, model.length).good }.max()!
        var misses = 0
        let seeds = 100
        for seed in 0..<seeds where Self.goodput(model, noise, seed: UInt64(seed)) < 0.85 * best { misses += 1 }
        // Noise of a tenth can make any trial look like another one.
        #expect(misses <= (noise < 0.1 ? 0 : seeds / 20), "\(misses) of \(seeds) runs")
    }

    /// - Returns: the mean of the 15 seconds after the last one.
    private static func goodput(_ model: Model, _ noise: Double, seed: UInt64) -> Double {
        var random = SeededRandom(seed: seed)
        var state = AutoLimit(bounds: .init(highest: 1_000), processors: 2)
        var sum = 0.0
        for second in 0..<(model.length + 15) {
            let reply = model.reply(state.limit, second)
            if second >= model.length { sum += reply.good / 15 }
            let factor = max(1 + noise * normal(&random), 0.05)
            _ = state.close(window(state.limit, reply.good * factor, reply.failed * factor))
        }
        return sum
    }

    private static func normal(_ random: inout SeededRandom) -> Double {
        let (u, v) = (Double.random(in: 1e-9..<1, using: &random), Double.random(in: 0..<1, using: &random))
        return (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
    }

    private static func window(_ limit: Int, _ good: Double, _ failed: Double = 0) -> AutoLimit.Window {
        var window = AutoLimit.Window(length: 1)
        window.completed = Int(good.rounded())
        window.failed = Int(failed.rounded())
        window.held = Double(limit)
        window.mean = Double(limit) / max(good + failed, 0.1)
        window.tail = window.mean * 1.5
        return window
    }

    @Test func `windows in which the limit was not used say nothing`() {
        var state = AutoLimit(bounds: .init(highest: 100), processors: 4)
        for _ in 0..<100 {
            var window = Self.window(4, 100)
            window.held = 1
            #expect(state.close(window) == nil)
        }
        #expect(state.limit == 4)
    }

    @Test func `short memory makes it fewer, and says so`() {
        var state = AutoLimit(bounds: .init(highest: 100), processors: 8)
        var window = Self.window(8, 100)
        window.machine.memory = (available: 50 << 20, total: 1_000 << 20)
        #expect(
            state.close(window) == AutoLimit.Decision(limit: 6, reason: "memory is short: 50 of 1000 MiB are free"))
    }

    @Test func `processes are not added while the processors are busy`() {
        var state = AutoLimit(bounds: .init(highest: 100, isProcess: true), processors: 2)
        for _ in 0..<60 {
            var window = Self.window(state.limit, Double(state.limit) * 10)
            window.machine.processors = 1
            _ = state.close(window)
            #expect(state.limit <= 2)
        }
    }

    @Test func `it never passes the configured most`() {
        var state = AutoLimit(bounds: .init(highest: 5), processors: 2)
        for _ in 0..<60 {
            _ = state.close(Self.window(state.limit, Double(state.limit) * 10))
            #expect(state.limit <= 5)
        }
        #expect(state.base.limit == 5)
    }
}

import Instrumentation
import NIOHTTP1
import ServiceContextModule

/// The `traceparent` of a request (W3C Trace Context): the one of the program's own tracing where that runs, otherwise fresh
/// ids, by which a person finds in the other side's logs what a failed job has to do with.
enum TraceContext {
    static func add(to headers: inout HTTPHeaders) {
        if let context = ServiceContext.current {
            InstrumentationSystem.instrument.inject(context, into: &headers, using: Injector())
        }
        guard !headers.contains(name: "traceparent") else { return }
        // Sampled: a receiver that follows its caller's choice would otherwise never keep a trace of these calls.
        headers.add(name: "traceparent", value: "00-\(id())\(id())-\(id())-01")
    }

    /// 16 hexadecimal digits, not all of them zero.
    private static func id() -> String {
        let text = String(UInt64.random(in: 1...UInt64.max), radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    private struct Injector: Instrumentation.Injector {
        func inject(_ value: String, forKey key: String, into headers: inout HTTPHeaders) {
            headers.replaceOrAdd(name: key, value: value)
        }
    }
}

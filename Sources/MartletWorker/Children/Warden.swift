import CMartletLinux
import Glibc
import Synchronization

/// The process that forks a supervisor for each child; see `martlet_warden.h`. It is started with the first child.
enum Warden {
    private static let requests = Mutex<Descriptor?>(nil)

    /// Early, while this process is small.
    static func prepare() throws(Errno) { _ = try connection() }

    /// - Parameters:
    ///   - control: the supervisor's end of its socket.
    ///   - descriptors: the child's 0, 1, 2 and so on.
    static func ask(control: Descriptor, _ descriptors: [Descriptor]) throws(Errno) {
        let numbers = [control.number] + descriptors.map(\.number)
        let first = try connection()
        let error = martlet_warden_ask(first.number, numbers, CInt(numbers.count))
        guard error != 0 else { return }
        guard error == EPIPE || error == ECONNRESET else { throw Errno(number: error) }
        // Somebody killed it. Supervisors do not depend on it; another one does for the children to come.
        requests.withLock { if $0 === first { $0 = nil } }
        let again = martlet_warden_ask(try connection().number, numbers, CInt(numbers.count))
        guard again == 0 else { throw Errno(number: again) }
    }

    private static func connection() throws(Errno) -> Descriptor {
        let result: Result<Descriptor, Errno> = requests.withLock { requests in
            if let requests { return .success(requests) }
            var socket: CInt = -1
            let warden = martlet_warden_start(&socket)
            guard warden > 0 else { return .failure(Errno(number: -warden)) }
            let descriptor = Descriptor(socket)
            requests = descriptor
            return .success(descriptor)
        }
        return try result.get()
    }
}

/// What a child process may take of the machine. nil: no limit of its own.
public struct ProcessLimits: Sendable, Equatable {
    /// Memory of the child and all that it starts, in bytes: what is resident and not shared with others. A job that passes it
    /// is killed, as by a machine that is out of memory.
    public var memory: Int?
    /// Processor time, in whole seconds. A job that passes it is ended by SIGXCPU.
    public var cpu: Duration?
    /// Open files of each process.
    public var files: Int?
    /// Processes at a time, the child itself included.
    public var processes: Int?

    public init(memory: Int? = nil, cpu: Duration? = nil, files: Int? = nil, processes: Int? = nil) {
        self.memory = memory
        self.cpu = cpu
        self.files = files
        self.processes = processes
    }

    public static let none = ProcessLimits()

    /// - Throws: ``InvalidInput`` about `limits`.
    package func validate() throws(InvalidInput) {
        if let memory, !Limits.childMemory.contains(memory) {
            throw InvalidInput(field: "limits.memory", reason: "is out of range; 1 MiB to 1 PiB")
        }
        if let cpu, !Limits.childTime.contains(cpu) {
            throw InvalidInput(
                field: "limits.cpu",
                reason: "is out of range; \(Limits.childTime.lowerBound.text) to \(Limits.childTime.upperBound.text)")
        }
        if let files, !Limits.childFiles.contains(files) {
            throw InvalidInput(field: "limits.files", reason: "\(files) is out of range; 8 to 1048576")
        }
        if let processes, !Limits.childProcesses.contains(processes) {
            throw InvalidInput(field: "limits.processes", reason: "\(processes) is out of range; 1 to 4096")
        }
    }
}

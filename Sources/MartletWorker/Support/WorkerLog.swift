import Logging
import MartletCore
import MartletStore

/// Log lines from events. Never args or results.
struct WorkerLog: Sendable {
    let logger: Logger

    func write(_ event: WorkerEvent) {
        switch event {
        case .started(let name, let kinds):
            logger.info("worker started", metadata: ["worker": "\(name)", "kinds": "\(kinds.joined(separator: ","))"])
        case .registered(let id):
            logger.debug("registered", metadata: ["worker_id": "\(id)"])
        case .claimed(let leases, let jobs):
            logger.trace("claimed", metadata: ["leases": "\(leases)", "jobs": "\(jobs)"])
        case .jobStarted(let kind, let id, let attempt):
            logger.debug("job started", metadata: ["job": "\(id)", "kind": "\(kind)", "attempt": "\(attempt)"])
        case .jobEnded(let kind, let id, let attempt, let ending, let ran):
            let job: Logger.Metadata = [
                "job": "\(id)", "kind": "\(kind)", "attempt": "\(attempt)", "ran_ms": "\(ran.milliseconds)",
            ]
            write(ending, of: job)
        case .abandoned(let kind, let id, let lease):
            logger.error(
                "the handler ignores its cancellation; its slot was written off",
                metadata: ["job": "\(id)", "kind": "\(kind)", "lease": "\(lease)"])
        case .blocked(let kind, let id, let held, let moves):
            logger.warning(
                moves
                    ? "a coroutine blocks its thread; jobs of its kind get threads of their own from now on"
                    : "a coroutine blocks its thread, and others wait for it; executor blocking gives its kind threads of their own",
                metadata: ["job": "\(id)", "kind": "\(kind)", "held_ms": "\(held.milliseconds)"])
        case .threadsLost(let place, let threads):
            logger.critical(
                "handlers that ignore their cancellation hold every thread; jobs wait until the worker is started again",
                metadata: ["threads": "\(threads)", "of": place == .blocking ? "blocking handlers" : "coroutines"])
        case .pulse(let lag, let memory):
            logger.trace(
                "pulse", metadata: ["lag_ms": "\(lag.milliseconds)", "resident_mib": "\((memory ?? 0) >> 20)"])
        case .adapted(let kind, let concurrency, let reason):
            logger.info(
                "concurrency changed", metadata: ["kind": "\(kind)", "concurrency": "\(concurrency)", "reason": "\(reason)"])
        case .memoryExceeded(let resident, let limit):
            logger.warning(
                "the worker takes more memory than max_memory allows; it stops, to begin anew",
                metadata: ["resident_mib": "\(resident >> 20)", "max_memory_mib": "\(limit >> 20)"])
        case .settled(let count):
            logger.trace("settled", metadata: ["jobs": "\(count)"])
        case .leasesLost(let leases, let dropped):
            logger.warning("leases lost", metadata: ["leases": "\(leases.count)", "dropped": "\(dropped)"])
        case .heartbeatLost(let loss):
            logger.warning(
                "the leases can no longer be trusted; stopping their jobs and registering anew",
                metadata: ["reason": "\(loss.rawValue)"])
        case .cancelRequested(let count):
            logger.info("asked to stop running jobs", metadata: ["jobs": "\(count)"])
        case .recovered(let reply):
            logger.warning(
                "recovered jobs of workers that died",
                metadata: ["workers": "\(reply.workers.count)", "jobs": "\(reply.recoveredJobs)"])
        case .promoted(let count):
            logger.debug("promoted jobs that are due", metadata: ["jobs": "\(count)"])
        case .removed(let count):
            logger.debug("removed jobs past their retention", metadata: ["jobs": "\(count)"])
        case .storeUnavailable(let error):
            logger.warning("the database is away; trying on", metadata: ["error": "\(error)"])
        case .storeAvailable:
            logger.info("the database is back")
        case .drained(let leftovers, let next):
            drained(leftovers, next)
        case .stopping(let mode):
            logger.info("stopping", metadata: ["mode": "\(mode)"])
        case .unsettled(let count):
            logger.warning(
                "the database is away and could not be told how jobs ended; they run again when this worker's lease is over",
                metadata: ["jobs": "\(count)"])
        case .stopped(let tally):
            logger.info(
                "worker stopped",
                metadata: [
                    "completed": "\(tally.completed)", "retried": "\(tally.retried)", "failed": "\(tally.failed)",
                    "cancelled": "\(tally.cancelled)", "given_back": "\(tally.givenBack)",
                ])
        }
    }

    private func drained(_ leftovers: Leftovers?, _ next: Duration?) {
        guard let leftovers else { return logger.info("nothing is left to do now") }
        if !leftovers.paused.isEmpty {
            let queues = leftovers.paused.keys.sorted().joined(separator: " ")
            logger.notice(
                "jobs wait in paused queues",
                metadata: [
                    "jobs": "\(leftovers.paused.values.reduce(0, +))", "queues": "\(queues)",
                    "to_resume": "martlet queues resume \(queues)",
                ])
        }
        if leftovers.later > 0 {
            var metadata: Logger.Metadata = ["jobs": "\(leftovers.later)"]
            if let next { metadata["next_in_ms"] = "\(next.milliseconds)" }
            logger.notice("nothing is left to do now; jobs wait for a later time", metadata: metadata)
        } else {
            logger.info(leftovers.paused.isEmpty ? "nothing is left to do" : "nothing else is left to do")
        }
    }

    private func write(_ ending: Ending, of job: Logger.Metadata) {
        var metadata = job
        switch ending {
        case .completed:
            logger.debug("job completed", metadata: metadata)
        case .retryable(let error, let delay):
            metadata["error"] = "\(error.type): \(error.message)"
            metadata["again_in_ms"] = "\(delay.milliseconds)"
            logger.warning("job failed, will be tried again", metadata: metadata)
        case .crashed(let error, let delay):
            metadata["error"] = "\(error.type): \(error.message)"
            metadata["again_in_ms"] = "\(delay.milliseconds)"
            logger.warning("job ended the process that ran it, will be tried again", metadata: metadata)
        case .failed(let error, let reason):
            metadata["error"] = "\(error.type): \(error.message)"
            metadata["reason"] = "\(reason.rawValue)"
            logger.error("job failed", metadata: metadata)
        case .snoozed(let delay):
            metadata["again_in_ms"] = "\(delay.milliseconds)"
            // It charges no attempt and leaves no error, so that here alone one sees a job that snoozes for ever.
            logger.info("job snoozed", metadata: metadata)
        case .cancelled:
            logger.info("job cancelled", metadata: metadata)
        case .givenBack:
            logger.info("job given back", metadata: metadata)
        }
    }
}

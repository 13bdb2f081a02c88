// Swift 6.3's `Task.sleep` asks the executor of the task that sleeps, when that is a `SchedulingExecutor`, to end the sleep.
// Without it, sleeps go through Dispatch as those of any task do: to wake its manager thread, its timers and the threads that
// fire them took 30 % of all processor time while 2 000 jobs at a time each waited a millisecond. With it they end on the
// threads that handlers run on (see ``ThreadsState``).
//
// The protocol is experimental and may change with any release, so nothing depends on it: this file is all that knows it, and
// with another compiler it is empty.
#if compiler(>=6.3) && compiler(<6.4)

    import MartletCore
    @_spi(ExperimentalScheduling) import _Concurrency

    extension Slot: SchedulingExecutor {
        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
        ) {
            let job = UnownedJob(job)
            if C.self == ContinuousClock.self, let instant = instant as? ContinuousClock.Instant {
                // What is over already waits from now on.
                submit(job, due: max(Moment(instant), .now))
            } else if C.self == SuspendingClock.self, let pool = globalConcurrentExecutor as? any SchedulingExecutor {
                pool.enqueue(ExecutorJob(job), at: instant, tolerance: tolerance, clock: clock)
            } else {
                // Another clock may go at any pace, so it is asked itself, on Swift's pool.
                Task.detached {
                    // Nobody cancels this task. Should the clock fail, the sleep is over.
                    do { try await clock.sleep(until: instant, tolerance: tolerance) } catch {}
                    globalConcurrentExecutor.enqueue(job)
                }
            }
        }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
        ) {
            if C.self == ContinuousClock.self, let delay = delay as? Duration {
                submit(UnownedJob(job), due: .now + delay)
            } else {
                enqueue(job, at: clock.now.advanced(by: delay), tolerance: tolerance, clock: clock)
            }
        }
    }

    extension Moment {
        /// Both count from the start of the machine, on Linux. Never earlier: less than a nanosecond counts as one.
        init(_ instant: ContinuousClock.Instant) {
            let sinceStart = ContinuousClock().systemEpoch.duration(to: instant)
            self.init(
                nanoseconds: (sinceStart + Duration(secondsComponent: 0, attosecondsComponent: 999_999_999)).nanoseconds)
        }
    }
#endif

import MartletStore

/// One look for workers that died. A drain counts the looks under way: it does not end while one may still find jobs, and
/// none begins after its end.
struct Recovery {
    let store: any JobStore
    let access: StoreAccess
    let floor: Floor
    let herald: Herald

    /// - Returns: how many jobs are available again by it.
    func run() async throws(StoreError) -> Int {
        guard floor.beginRecovery() else { return 0 }
        do {
            let reply = try await store.recover()
            access.succeeded(.recover)
            if !reply.workers.isEmpty || reply.recoveredJobs > 0 { herald.tell(.recovered(reply)) }
            floor.endRecovery(jobs: reply.recoveredJobs)
            return reply.recoveredJobs
        } catch {
            floor.endRecovery(jobs: nil)
            throw error
        }
    }
}

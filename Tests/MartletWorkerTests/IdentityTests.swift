import Glibc
import Testing

@testable import MartletWorker

@Suite struct IdentityTests {
    private func conditions(
        _ own: Identity, user: (user: uid_t, group: gid_t)?, group: gid_t? = nil
    ) -> ChildConditions {
        var conditions = ChildConditions(nice: 3)
        own.assign(user: user, group: group, to: &conditions)
        return conditions
    }

    @Test func `a worker without privileges can name its own user and group, which changes nothing`() {
        let own = Identity(user: 1_000, group: 100)
        #expect(own.canBecome(1_000) && own.canTake(group: 100))
        #expect(!own.canBecome(0) && !own.canBecome(1_001) && !own.canTake(group: 0) && !own.canTake(group: 101))
        // The kernel refuses it to take the groups away that it has, so nothing may be asked of it.
        #expect(conditions(own, user: (1_000, 100)) == ChildConditions(nice: 3))
        #expect(conditions(own, user: (1_000, 100), group: 100) == ChildConditions(nice: 3))
        #expect(conditions(own, user: nil, group: 100) == ChildConditions(nice: 3))
        // Started in another group than the account's.
        #expect(conditions(own, user: (1_000, 1_000)) == ChildConditions(nice: 3))
    }

    @Test func `root can be anybody, also itself without its groups`() {
        let root = Identity(user: 0, group: 0)
        #expect(root.canBecome(0) && root.canBecome(1_000) && root.canTake(group: 5))
        #expect(conditions(root, user: (1_000, 100)) == ChildConditions(user: 1_000, group: 100, nice: 3))
        #expect(conditions(root, user: (1_000, 100), group: 5) == ChildConditions(user: 1_000, group: 5, nice: 3))
        #expect(conditions(root, user: (0, 0)) == ChildConditions(user: 0, group: 0, nice: 3))
        #expect(conditions(root, user: nil, group: 5) == ChildConditions(group: 5, nice: 3))
        #expect(conditions(root, user: nil) == ChildConditions(nice: 3))
    }
}

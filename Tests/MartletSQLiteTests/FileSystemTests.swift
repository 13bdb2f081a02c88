import Testing

@testable import MartletSQLite

@Suite struct FileSystemTests {
    private let mounts = """
        22 1 254:0 / / rw,relatime shared:1 - overlay overlay rw
        23 22 0:20 / /tmp rw shared:2 - tmpfs tmpfs rw
        24 22 8:1 / /srv/my\\040data rw - ext4 /dev/sda1 rw
        25 22 8:2 / /srv rw - xfs /dev/sdb1 rw
        26 23 8:3 / /tmp rw - btrfs /dev/sdc1 rw
        """

    @Test(arguments: [
        ("/home/a.db", "overlay"), ("/srv/a.db", "xfs"), ("/srv/my data/a.db", "ext4"), ("/srvx/a.db", "overlay"),
        ("/tmp/a.db", "btrfs"),
    ])
    func `a file lies on what was mounted last above it`(_ path: String, _ type: String) {
        #expect(Benches.fileSystem(of: path, in: mounts) == type)
    }

    @Test func `where nothing says so, nothing is known`() {
        #expect(Benches.fileSystem(of: "/a.db", in: "") == nil)
    }
}

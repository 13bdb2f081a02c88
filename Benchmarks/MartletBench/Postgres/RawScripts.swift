import Foundation

/// The floors: what the queue's own functions do with no worker around them.
enum RawScripts {
    /// The args that ``Nothing`` has.
    static let args =
        #"{"number":1000000,"recipient":"somebody@example.com","subject":"Your order has been shipped and will arrive soon"}"#

    /// Claims, receives the rows, settles all of them. The settlement waits for the disk.
    /// - Parameter worker: an expression of pgbench's.
    static func claimAndSettle(chunk: Int, worker: String = "1") -> String {
        """
        \\set worker \(worker)
        select * from martlet.claim(:worker, array['nothing'], array[\(chunk)], null, \(chunk)) \\aset
        select * from martlet.settle(array[:lease]::bigint[], array[0], array[decode(repeat('01', \(chunk)), 'hex')],
          array[decode(repeat('00', \(8 * chunk)), 'hex')], array[\(chunk)]);

        """
    }

    static let enqueue = "select martlet.enqueue('nothing', '\(args)');\n"

    static let insert = """
        insert into martlet.job (segment, lane, enqueued_at, args) values (1, 1, now(), '\(args)');

        """
}

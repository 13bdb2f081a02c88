import Foundation

/// The floors: what the queue's own functions do with no worker around them.
enum RawScripts {
    /// The args that ``Nothing`` has.
    static let args =
        #"{"number":1000000,"recipient":"somebody@example.com","subject":"Your order has been shipped and will arrive soon"}"#

    /// Claims and settles all of it. The jobs are not sent to pgbench, only how many there are; the settlement waits for the
    /// disk.
    /// - Parameter worker: an expression of pgbench's.
    static func claimAndSettle(chunk: Int, worker: String = "1") -> String {
        """
        \\set worker \(worker)
        select lease, cardinality(args) as n from martlet.claim(:worker, array['nothing'], array[\(chunk)], null, \(chunk)) \\gset
        select * from martlet.settle(array[:lease]::bigint[], array[0], array[decode(repeat('01', :n::int), 'hex')],
          array[decode(repeat('00', 8 * :n::int), 'hex')], array[:n::int]);

        """
    }

    static let enqueue = "select martlet.enqueue('nothing', '\(args)');\n"

    static let insert = """
        insert into martlet.job (segment, lane, enqueued_at, args) values (1, 1, now(), '\(args)');

        """
}

import MartletPQ
import Testing

@Suite struct TypesTests {
    @Test(arguments: [Pooler.direct, .transaction]) func `every type comes back as it went`(pooler: Pooler) async throws {
        try await withClient({ $0.pooler = pooler }) { client in
            let statement = Statement("select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10")
            let sent: [Value] = [
                .bool(true), .int2(-2), .int4(.min), .int8(.max), .float8(-0.1), .text("naïve 🐦"),
                .bytea([0, 1, 255]), .jsonb(#"{"a": [1, null]}"#), .timestamptz(-1), .xid8(UInt64(Int64.max)),
            ]
            let rows = try await client.run(statement, sent)
            #expect(rows.count == 1 && rows.columns == 10)
            #expect(rows.bool(0, 0))
            #expect(rows.int(0, 1) == -2)
            #expect(rows.int(0, 2) == Int64(Int32.min))
            #expect(rows.int(0, 3) == .max)
            #expect(rows.float8(0, 4) == -0.1)
            #expect(rows.text(0, 5) == "naïve 🐦")
            #expect(rows.bytes(0, 6) == [0, 1, 255])
            #expect(String(decoding: rows.json(0, 7), as: UTF8.self) == #"{"a": [1, null]}"#)
            #expect(rows.timestamptz(0, 8) == -1)
            #expect(rows.xid8(0, 9) == UInt64(Int64.max))
        }
    }

    @Test func `null is not the empty value`() async throws {
        try await withClient { client in
            let rows = try await client.run(
                .once("select $1::text, $2::bytea, $3::int8, $4::jsonb, $5::text, $6::bytea, $7::timestamptz"),
                [.text(nil), .bytea(nil), .null, .jsonb([UInt8]?.none), .text(""), .bytea([]), .timestamptz(nil)])
            #expect((0..<4).allSatisfy { rows.isNull(0, $0) })
            #expect(rows.optionalText(0, 0) == nil && rows.optionalBytes(0, 1) == nil)
            #expect(rows.optionalInt(0, 2) == nil && rows.optionalJSON(0, 3) == nil)
            #expect(rows.optionalText(0, 4) == "" && rows.optionalBytes(0, 5) == [])
            #expect(rows.optionalTimestamptz(0, 6) == nil)
        }
    }

    @Test func `the server reads our values as we mean them`() async throws {
        try await withClient { client in
            let rows = try await client.run(
                .once("select $1 = '2024-02-29 12:00:00.000001+00', $2 = array['a', null, ''], $3 = array[1, -1]::int8[]"),
                [.timestamptz(1_709_208_000_000_001), .texts(["a", nil, ""]), .int8s([1, -1])])
            #expect(rows.bool(0, 0) && rows.bool(0, 1) && rows.bool(0, 2))
        }
    }

    @Test func `arrays come back as they went`() async throws {
        try await withClient { client in
            let json: [[UInt8]?] = [Array("1".utf8), nil, Array(#""x""#.utf8)]
            let rows = try await client.run(
                Statement("select $1, $2, $3, $4, $5, $6, $7"),
                [
                    .int8s([.min, 0, .max]), .texts(["ä", nil, "\\,\"{}"]), .byteas([[0, 0], nil, []]), .jsonbs(json),
                    .timestamptzs([0, nil, 1_700_000_000_000_000]), .int8s([]), .int2s([1, -1]),
                ])
            #expect(rows.int8s(0, 0) == [.min, 0, .max])
            #expect(rows.texts(0, 1) == ["ä", nil, "\\,\"{}"])
            #expect(rows.byteas(0, 2) == [[0, 0], nil, []])
            #expect(rows.jsonbs(0, 3) == json)
            #expect(rows.timestamptzs(0, 4) == [0, nil, 1_700_000_000_000_000])
            #expect(rows.int8s(0, 5) == [])
            #expect(try await client.int("select sum(v) from unnest($1) v", [.int2s([3, 4])]) == 7)
            #expect(try await client.run(.once("select array[1, null]::int8[]")).optionalInt8s(0, 0) == [1, nil])
        }
    }

    @Test func `one statement takes parameters of several types`() async throws {
        try await withClient { client in
            let statement = Statement("select $1")
            let rows = [
                try await client.run(statement, [.int8(1)]), try await client.run(statement, [.text("one")]),
                try await client.run(statement, [.int4(2)]),
            ]
            #expect(rows[0].int(0, 0) == 1 && rows[1].text(0, 0) == "one" && rows[2].int(0, 0) == 2)
        }
    }

    @Test func `infinity is the end of the range`() async throws {
        try await withClient { client in
            let rows = try await client.run(.once("select 'infinity'::timestamptz, '-infinity'::timestamptz"))
            #expect(rows.timestamptz(0, 0) == .max && rows.timestamptz(0, 1) == .min)
        }
    }

    @Test func `a command tells how many rows it touched`() async throws {
        try await withClient { client in
            let rows = try await client.script(
                "create temp table t (x int); insert into t select generate_series(1, 7); drop table t")
            #expect(rows.map(\.affected) == [0, 7, 0])
        }
    }
}

// swift-tools-version: 6.2
import Foundation
import PackageDescription

// `make check` sets this; packages that depend on Martlet still build when a newer compiler adds a warning.
let strict = ProcessInfo.processInfo.environment["MARTLET_WARNINGS_AS_ERRORS"] != nil

let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

let metrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "martlet",
    products: [
        .library(name: "Martlet", targets: ["Martlet"]),
        .library(name: "MartletTesting", targets: ["MartletTesting"]),
        .executable(name: "martlet", targets: ["martlet"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // What Glibc's module map leaves out: epoll, inotify, open-file-description locks, process groups.
        .target(name: "CMartletLinux"),
        .target(
            name: "MartletMigrations", path: "migrations",
            resources: [
                .embedInCode("0001_queue.sqlite.sql"),
                .embedInCode("0001_queue.postgres.sql"),
                .embedInCode("0001_queue.postgres.common.sql"),
                .embedInCode("0001_queue.postgres.tally.sql"),
                .embedInCode("0001_queue.postgres.waiting.sql"),
                .embedInCode("0001_queue.postgres.checks.sql"),
                .embedInCode("0001_queue.postgres.enqueue.sql"),
                .embedInCode("0001_queue.postgres.claim.sql"),
                .embedInCode("0001_queue.postgres.settle.sql"),
                .embedInCode("0001_queue.postgres.workers.sql"),
                .embedInCode("0001_queue.postgres.promote.sql"),
                .embedInCode("0001_queue.postgres.retain.sql"),
                .embedInCode("0001_queue.postgres.find.sql"),
                .embedInCode("0001_queue.postgres.history.sql"),
                .embedInCode("0001_queue.postgres.list.sql"),
                .embedInCode("0001_queue.postgres.repair.sql"),
                .embedInCode("0001_queue.postgres.counts.sql"),
                .embedInCode("0001_queue.postgres.rebase.sql"),
                .embedInCode("0001_queue.postgres.bench.sql"),
                .embedInCode("0001_queue.postgres.roles.sql"),
            ],
            swiftSettings: settings),
        .target(name: "MartletCore", swiftSettings: settings),
        .target(name: "MartletStore", dependencies: ["MartletCore"], swiftSettings: settings),
        .target(
            name: "MartletSQLite",
            dependencies: [
                "CMartletLinux", "MartletCore", "MartletMigrations", "MartletStore",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: settings),
        .target(name: "CPostgres"),
        .target(name: "MartletPQ", dependencies: ["CMartletLinux", "CPostgres"], swiftSettings: settings),
        .target(
            name: "MartletPostgres", dependencies: ["MartletCore", "MartletMigrations", "MartletPQ", "MartletStore"],
            swiftSettings: settings),
        .target(
            name: "MartletWorker",
            dependencies: [
                "CMartletLinux", "MartletCore", "MartletStore", log, lifecycle,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: settings),
        .target(
            name: "MartletWebhooks",
            dependencies: [
                "MartletCore", "MartletWorker",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Instrumentation", package: "swift-distributed-tracing"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings),
        .target(
            name: "Martlet",
            dependencies: [
                "MartletCore", "MartletPostgres", "MartletSQLite", "MartletStore", "MartletWebhooks", "MartletWorker", log,
                lifecycle, metrics, signals,
            ],
            swiftSettings: settings),
        // For the tests of programs that use the library.
        .target(
            name: "MartletTesting",
            dependencies: ["Martlet", "MartletCore", "MartletSQLite", "MartletStore", "MartletWorker", log],
            swiftSettings: settings),
        .target(
            name: "MartletApp",
            dependencies: [
                "Martlet", "MartletCore", "MartletPostgres", "MartletSQLite", "MartletStore", "MartletWebhooks",
                "MartletWorker", "Yams", log, lifecycle, signals,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .target(
            name: "MartletTestSupport",
            dependencies: [
                "CMartletLinux", "MartletCore", "MartletPostgres", "MartletSQLite", "MartletStore",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MartletStoreTests", dependencies: ["MartletCore", "MartletStore", "MartletTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "MartletSQLiteTests",
            dependencies: [
                "CMartletLinux", "MartletCore", "MartletSQLite", "MartletStore", "MartletTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "MartletBench",
            dependencies: [
                "CPostgres", "Martlet", "MartletCore", "MartletPQ", "MartletPostgres", "MartletTestSupport", "MartletWorker",
                log,
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/MartletBench", swiftSettings: settings),
        // A user's program for the fault suite: its jobs are as bad as they can be.
        .executableTarget(
            name: "FaultProgram", dependencies: ["Martlet", log], path: "Tests/FaultProgram", swiftSettings: settings),
        .executableTarget(
            name: "martlet", dependencies: ["MartletApp"], swiftSettings: settings,
            // At a fixed address, as Go's programs are: 130 000 pointers need not be put right at each start, which takes 2 ms and
            // 4 MB. Libraries, heap and stacks still lie anywhere.
            // Its functions are for no library to find: 37 000 names, in which the dynamic linker would look up each of theirs.
            linkerSettings: [
                .unsafeFlags(
                    ["-Xclang-linker", "-no-pie", "-Xlinker", "--no-export-dynamic"], .when(configuration: .release))
            ]),
        .testTarget(
            name: "MartletPostgresTests",
            dependencies: ["MartletCore", "MartletPQ", "MartletPostgres", "MartletStore", "MartletTestSupport"],
            swiftSettings: settings),
        .testTarget(name: "MartletPQTests", dependencies: ["MartletPQ", "MartletTestSupport"], swiftSettings: settings),
        .testTarget(
            name: "MartletCoreTests", dependencies: ["MartletCore", "MartletTestSupport"], swiftSettings: settings),
        .testTarget(
            name: "MartletWorkerTests",
            dependencies: [
                "FaultProgram", "MartletCore", "MartletStore", "MartletTestSupport", "MartletWorker", log, lifecycle,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MartletTests",
            dependencies: [
                "Martlet", "MartletCore", "MartletPostgres", "MartletStore", "MartletTestSupport", "MartletWorker", log,
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MartletTestingTests", dependencies: ["Martlet", "MartletCore", "MartletTesting"], swiftSettings: settings),
        .testTarget(
            name: "MartletAppTests",
            dependencies: [
                "MartletApp", "MartletCore", "MartletStore", "MartletTestSupport", "MartletWebhooks", "MartletWorker",
                "martlet",
                log,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MartletFaultTests",
            dependencies: [
                "FaultProgram", "MartletCore", "MartletPostgres", "MartletStore", "MartletTestSupport", "martlet",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MartletWebhooksTests",
            dependencies: [
                "MartletCore", "MartletStore", "MartletTestSupport", "MartletWebhooks", "MartletWorker", log,
                .product(name: "Instrumentation", package: "swift-distributed-tracing"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings),
    ]
)

// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// For the targets that touch C: each unsafe expression is marked as such.
let strictAndSafe = strict + [.strictMemorySafety()]

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "tunneld",
    products: [.executable(name: "tunneld", targets: ["tunneld"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .systemLibrary(
            name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev", "nettle-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CBPF", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev"])]),
        .target(name: "CJoinedLog", linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(name: "Tunnels", swiftSettings: strict),
        .target(name: "Netlink", dependencies: ["CMnl"], swiftSettings: strictAndSafe),
        .target(name: "KernelDataPlane", dependencies: ["Netlink", "Tunnels"], swiftSettings: strict),
        .target(
            name: "BPFDataPlane", dependencies: ["CBPF", "KernelDataPlane", "Netlink", "Tunnels"],
            // The C source; CBPF has tunnel.h.
            exclude: ["ecn", "egress", "ingress", "ip", "maps", "path_mtu", "tunnel", "wire"].map { "Programs/\($0).h" }
                + ["Programs/tunnel.bpf.c"],
            resources: [.embedInCode("Programs/tunnel.bpf.o")], swiftSettings: strictAndSafe),
        .target(
            name: "TunnelStore", dependencies: ["CJoinedLog", "Tunnels", "Migrations", grdb], swiftSettings: strict),
        .target(
            name: "Migrations", path: "migrations", exclude: ["schema.sql"],
            resources: ["m0001_init", "m0002_desired_state", "m0003_totals"].map { .embedInCode("\($0).sql") },
            swiftSettings: strict),
        .target(name: "Reconciler", dependencies: ["Tunnels", "TunnelStore", log], swiftSettings: strict),
        .target(
            name: "History", dependencies: ["Reconciler", "Tunnels", grdb, log], swiftSettings: strict),
        .target(name: "Echo", dependencies: ["Tunnels", log], swiftSettings: strictAndSafe),
        .target(name: "HTTPServer", dependencies: ["CMicroHTTPD", "CZlib", log], swiftSettings: strictAndSafe),
        .target(
            name: "TunnelAPI",
            dependencies: ["HTTPServer", "History", "Reconciler", "TunnelStore", "Tunnels", log, yams],
            // A link to the contract at the top.
            resources: [.embedInCode("openapi.yaml"), .embedInCode("Page")], swiftSettings: strict),
        .executableTarget(
            name: "tunneld",
            dependencies: [
                "TunnelAPI", "BPFDataPlane", "Echo", "History", "KernelDataPlane", "HTTPServer", "Reconciler",
                "TunnelStore",
                "Tunnels",
                arguments, log,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "measure-history", dependencies: ["History", "Tunnels", log], path: "Benchmarks/History",
            swiftSettings: strict),
        // The kernel's rules in memory, for tests of what plans for it.
        .target(name: "ModelHost", dependencies: ["Tunnels"], path: "Tests/ModelHost", swiftSettings: strict),
        .testTarget(name: "TunnelsTests", dependencies: ["ModelHost", "Tunnels"], swiftSettings: strict),
        .testTarget(
            name: "KernelDataPlaneTests", dependencies: ["KernelDataPlane", "ModelHost", "Netlink", "Tunnels"],
            swiftSettings: strict),
        .testTarget(
            name: "ReconcilerTests",
            dependencies: ["ModelHost", "Reconciler", "TunnelStore", "Tunnels", grdb, log], swiftSettings: strict),
        .testTarget(name: "NetlinkTests", dependencies: ["Netlink"], swiftSettings: strict),
        .testTarget(
            name: "BPFDataPlaneTests",
            dependencies: ["BPFDataPlane", "CBPF", "CMnl", "KernelDataPlane", "Netlink", "Tunnels"],
            exclude: ["Programs/rejected.bpf.c", "Programs/trial.bpf.c"],
            resources: [.embedInCode("Programs/rejected.bpf.o"), .embedInCode("Programs/trial.bpf.o")],
            swiftSettings: strict),
        .testTarget(
            name: "HistoryTests", dependencies: ["History", "Reconciler", "TunnelStore", "Tunnels", grdb, log],
            swiftSettings: strict),
        .testTarget(name: "EchoTests", dependencies: ["Echo", "Tunnels", log], swiftSettings: strict),
        .testTarget(name: "HTTPServerTests", dependencies: ["HTTPServer", log], swiftSettings: strict),
        .testTarget(
            name: "TunnelStoreTests", dependencies: ["CJoinedLog", "TunnelStore", "Tunnels", grdb, sqlite],
            resources: [.embedInCode("Fixtures/version1.sql"), .embedInCode("Fixtures/version2.sql")],
            swiftSettings: strict),
        .testTarget(
            name: "TunnelAPITests",
            dependencies: ["TunnelAPI", "HTTPServer", "History", "Reconciler", "TunnelStore", "Tunnels", log],
            swiftSettings: strict),
    ]
)

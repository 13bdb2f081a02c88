// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "embedded",
    dependencies: [.package(name: "martlet", path: "../..")],
    targets: [.executableTarget(name: "embedded", dependencies: [.product(name: "Martlet", package: "martlet")])]
)

// swift-tools-version:5.9
// doit swift target=iphone dtype=int8, and unzip what it wrote into this folder. On a Mac: swift run. For an iPhone, make an
// app of Xcode's with these two files, and add the folder G2P to it as a local package.
import PackageDescription

let package = Package(
  name: "Words",
  platforms: [.iOS(.v15), .macOS(.v12)],
  dependencies: [.package(path: "G2P")],
  targets: [
    .executableTarget(name: "Words", dependencies: [.product(name: "G2P", package: "G2P")], path: "Sources")
  ]
)

import Foundation
import HTTPServer
import Testing

@Suite struct GzipTests {
    private let samples: [[UInt8]] = [
        Array("hello".utf8), Array(String(repeating: "tunnel ", count: 50_000).utf8),
        (0..<100_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 16) },
    ]

    @Test(arguments: [1, 6, 9]) func whatIsCompressedCanBeReadByOthers(level: Int) throws {
        for sample in samples {
            let compressed = try #require(Gzip.compress(sample, level: level))
            #expect(compressed.starts(with: [0x1F, 0x8B]))
            #expect(try gunzip(compressed) == sample)
        }
        #expect(try #require(Gzip.compress(samples[1])).count < 2000)
    }

    /// Each reader of a stream gets the head and then the same pieces as all others, from any on.
    @Test func piecesFollowEachOtherInAnyOrder() throws {
        let pieces = try samples.map { try #require(Gzip.compressPiece($0)) }
        for order in [[0, 1, 2], [2, 0], [1, 1, 0], [2]] {
            let stream = Gzip.streamHead + order.flatMap { pieces[$0] }
            #expect(try gunzip(stream, isWhole: false) == order.flatMap { samples[$0] })
        }
    }

    @Test func nothingIsCompressedToSomething() throws {
        #expect(try gunzip(try #require(Gzip.compress([]))) == [])
    }

    /// By the program, which is another implementation's reader of the end.
    ///
    /// - Parameter isWhole: false for a stream that was cut: what came before the cut is given.
    private func gunzip(_ bytes: [UInt8], isWhole: Bool = true) throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/body"
        try Data(bytes).write(to: URL(filePath: path + ".gz"))
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "gzip -dc '\(path).gz' > '\(path)' 2>'\(path).err'"]
        try process.run()
        process.waitUntilExit()
        #expect((process.terminationStatus == 0) == isWhole)
        return Array(try Data(contentsOf: URL(filePath: path)))
    }
}

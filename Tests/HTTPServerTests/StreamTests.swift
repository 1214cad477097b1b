import Glibc
import Testing

@testable import HTTPServer

@Suite struct StreamTests {
    private let opened = Recorder<ResponseStream>()
    private let closed = Recorder<Bool>()

    private var events: Route {
        Route(.get, "/events") { [opened, closed] _ in
            let stream = ResponseStream(capacityBytes: 64 * 1024) { closed.record(true) }
            opened.record(stream)
            return .response(
                Response(
                    status: 200, headers: [.init("Content-Type", "text/event-stream")], body: .stream(stream))
            )
        }
    }

    private func open(_ address: ListenAddress, receiveBuffer: Int32? = nil) throws -> (
        RawClient, ResponseStream
    ) {
        let client = try RawClient(address, receiveBuffer: receiveBuffer)
        client.send("GET /events HTTP/1.1\r\nHost: t\r\n\r\n")
        let head = try client.head()
        #expect(head.status == 200)
        #expect(head["transfer-encoding"] == "chunked")
        return (client, try opened.next())
    }

    @Test func piecesArriveAsTheyArePushedAndTheConnectionStaysOpen() throws {
        try withServer([events, hello]) { server, address in
            let (client, stream) = try open(address)
            for number in 0..<50 {
                #expect(stream.push("data: \(number)\n\n".utf8) == .accepted)
                #expect(try client.chunk() == Array("data: \(number)\n\n".utf8))
            }
            #expect(server.statistics.openStreams == 1)
            stream.finish()
            #expect(try client.chunk() == nil)
            #expect(try closed.next())
            #expect(stream.push([1]) == .closed)
            #expect(try client.get("/hello").text == "hello")
            // A second stream on the same connection.
            client.send("GET /events HTTP/1.1\r\nHost: t\r\n\r\n")
            let second = try opened.next()
            #expect(second.push("x".utf8) == .accepted)
            second.finish()
            #expect(try client.answer().text == "x")
            #expect(try closed.next())
        }
    }

    @Test func ofASharedPieceAnyNumberIsTakenByAnEmptyStream() throws {
        try withServer([events]) { _, address in
            let (client, stream) = try open(address)
            let shared = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
            #expect(stream.push(shared: shared) == .accepted)
            var received: [UInt8] = []
            while received.count < shared.count { received += try #require(try client.chunk()) }
            #expect(received == shared)
            stream.finish()
            #expect(try client.chunk() == nil)
        }
    }

    @Test func manyStreamsHoldNoThread() throws {
        try withServer([events, hello]) { _, address in
            let streams = try (0..<100).map { _ in try open(address) }
            #expect(try RawClient(address).get("/hello").text == "hello")
            for (_, stream) in streams { #expect(stream.push("x".utf8) == .accepted) }
            for (client, _) in streams { #expect(try client.chunk() == [0x78]) }
        }
    }

    @Test func aSlowReaderMakesItFull() throws {
        try withServer([events]) { _, address in
            let (client, stream) = try open(address, receiveBuffer: 4096)
            let piece = [UInt8](repeating: 0x61, count: 1000)
            var accepted = 0
            var outcome = stream.push(piece)
            // The kernel's buffers are bounded, so this ends. What is full may have room again at once.
            while outcome == .accepted, accepted < 100_000 {
                accepted += 1
                outcome = stream.push(piece)
            }
            #expect(accepted < 100_000)
            #expect(outcome == .full)
            stream.finish()
            var received = 0
            while let chunk = try client.chunk() { received += chunk.count }
            #expect(received == accepted * 1000)
        }
    }

    @Test func whoFoundItFullIsToldOnceWhenAllIsTaken() throws {
        let roomy = Recorder<Bool>()
        let route = Route(.get, "/events") { [opened] _ in
            let stream = ResponseStream(onRoom: { roomy.record(true) })
            opened.record(stream)
            return .response(Response(status: 200, body: .stream(stream)))
        }
        try withServer([route]) { _, address in
            let (client, stream) = try open(address, receiveBuffer: 4096)
            let piece = [UInt8](repeating: 0x61, count: 1000)
            for _ in 0..<3 {
                var accepted = 0
                // Found full once; how much the kernel takes meanwhile is its own affair.
                while stream.push(piece) == .accepted, accepted < 100_000 { accepted += 1 }
                #expect(accepted < 100_000)
                var received = 0
                while received < accepted * 1000 { received += try client.chunk()?.count ?? .max }
                #expect(received == accepted * 1000)
                #expect(try roomy.next())
                #expect(roomy.all == [])
            }
            // Nobody found it full: nobody is told.
            #expect(stream.push(piece) == .accepted)
            #expect(try client.chunk()?.count == 1000)
            stream.finish()
            #expect(try client.chunk() == nil)
            #expect(roomy.all == [])
        }
    }

    @Test func aReaderThatTakesNothingIsCutAndOneThatWaitsIsNot() throws {
        var limits = Limits()
        limits.inactivity = .milliseconds(200)
        try withServer([events], limits: limits) { _, address in
            let (waiting, quiet) = try open(address)
            let (stuck, loud) = try open(address, receiveBuffer: 4096)
            let piece = [UInt8](repeating: 0x61, count: 1000)
            var pushed = 0
            while loud.push(piece) != .closed, pushed < 100_000_000 { pushed += 1 }
            #expect(try closed.next())
            #expect(loud.isClosed)
            #expect(quiet.push("x".utf8) == .accepted)
            #expect(try waiting.chunk() == [0x78])
            _ = stuck
        }
    }

    @Test func aPieceLargerThanTheCapacityGoesAlone() throws {
        try withServer([events]) { _, address in
            let (client, stream) = try open(address)
            #expect(stream.push([UInt8](repeating: 1, count: 200_000)) == .accepted)
            stream.finish()
            var received = 0
            while let chunk = try client.chunk() { received += chunk.count }
            #expect(received == 200_000)
        }
    }

    @Test func theProducerIsToldWhenTheClientGoes() throws {
        try withServer([events, hello]) { server, address in
            for leave in [{ $0.reset() }, { $0.finishSending() }] as [(RawClient) -> Void] {
                let (client, stream) = try open(address)
                #expect(stream.push("x".utf8) == .accepted)
                #expect(try client.chunk() == [0x78])
                leave(client)
                #expect(try closed.next())
                #expect(stream.push("y".utf8) == .closed)
            }
            #expect(server.statistics.openStreams == 0)
            #expect(try RawClient(address).get("/hello").text == "hello")
        }
    }

    @Test func headOfAStreamClosesIt() throws {
        try withServer([events]) { _, address in
            let client = try RawClient(address)
            let answer = try client.get("/events", method: "HEAD")
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "text/event-stream")
            #expect(try closed.next())
            #expect(try client.isClosedWithoutMore())
        }
    }

    @Test func anOldClientGetsItUntilTheEndOfTheConnection() throws {
        try withServer([events]) { _, address in
            let client = try RawClient(address)
            client.send("GET /events HTTP/1.0\r\n\r\n")
            let stream = try opened.next()
            #expect(stream.push("abc".utf8) == .accepted)
            stream.finish()
            #expect(try client.answer().text == "abc")
            #expect(try closed.next())
        }
    }

    @Test func tooManyAreRefusedAndClosed() throws {
        var limits = Limits()
        limits.streams = 1
        try withServer([events], limits: limits) { _, address in
            let (client, _) = try open(address)
            #expect(try RawClient(address).get("/events").status == 503)
            #expect(try closed.next())
            #expect(try opened.next().isClosed)
            _ = client
        }
    }

    @Test func aStreamIsTheBodyOfOneResponse() throws {
        let stream = ResponseStream()
        try withServer([Route(.get, "/s") { _ in .response(Response(status: 200, body: .stream(stream))) }]) {
            _, address in
            stream.finish()
            let client = try RawClient(address)
            #expect(try client.get("/s").status == 200)
            #expect(try client.get("/s").status == 500)
        }
    }

    @Test func stoppingEndsStreams() throws {
        let server = try Server(router: Router([events]), logger: silent)
        let address = try server.listen(on: ListenAddress("127.0.0.1:0"))
        let streams = try (0..<10).map { _ in try open(address) }
        for (_, stream) in streams { #expect(stream.push("last".utf8) == .accepted) }
        server.stop()
        for (client, stream) in streams {
            #expect(try client.chunk() == Array("last".utf8))
            #expect(try client.chunk() == nil)
            #expect(stream.push("x".utf8) == .closed)
            #expect(try closed.next())
        }
    }

    /// A reader that takes nothing more can't hold up the stop.
    @Test func stoppingEndsAStreamThatIsStuck() throws {
        let server = try Server(router: Router([events]), logger: silent)
        let address = try server.listen(on: ListenAddress("127.0.0.1:0"))
        let (client, stream) = try open(address, receiveBuffer: 4096)
        var pushed = 0
        while stream.push([UInt8](repeating: 0x61, count: 1000)) == .accepted, pushed < 100_000 {
            pushed += 1
        }
        server.stop(grace: .milliseconds(50))
        #expect(try closed.next())
        _ = client
    }
}

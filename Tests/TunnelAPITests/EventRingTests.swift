import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct EventRingTests {
    private func frame(_ id: Int64) -> EventFrame {
        EventFrame(StoredEvent(id: id, event: Event(at: Timestamp(milliseconds: 0), kind: .failed, subject: .host)))
    }

    @Test func itKeepsTheNewest() {
        var ring = EventRing()
        let count = Int64(EventRing.capacity)
        for id in 1...(3 * count + 7) {
            ring.append(frame(id))
            #expect(ring.latest == id)
            #expect(ring.frames(after: id - 1)?.map(\.id) == [id])
        }
        #expect(ring.frames(after: 2 * count + 7)?.map(\.id) == Array((2 * count + 8)...(3 * count + 7)))
        #expect(ring.frames(after: 2 * count + 6) == nil)
        #expect(ring.frames(after: 3 * count + 7)?.isEmpty == true)
        #expect(ring.frames(after: 4 * count)?.isEmpty == true)
    }

    @Test func aHoleBeginsItAnew() {
        var ring = EventRing()
        for id in [1, 2, 3, 7, 8] as [Int64] { ring.append(frame(id)) }
        #expect(ring.frames(after: 6)?.map(\.id) == [7, 8])
        #expect(ring.frames(after: 5) == nil)
        #expect(ring.frames(after: 2) == nil)
        ring.clear(latest: 0)
        ring.append(frame(20))
        #expect(ring.frames(after: 19)?.map(\.id) == [20])
        #expect(ring.frames(after: 18) == nil)
    }
}

import Dispatch
import Testing
import Tunnels

@testable import Reconciler

@Suite struct InboxTests {
    let inbox = Inbox()

    private func add(_ count: Int) throws {
        for number in 0..<count {
            let write = Write(.delete(.name(try InterfaceName("tun_\(number)"))), author: "test")
            _ = try inbox.add(.write(PendingWrite(write: write) { _ in }))
        }
    }

    /// A pause of an hour: only who completes the count can end the wait.
    @Test func theLastOneThatIsAwaitedEndsTheWait() throws {
        try add(1)
        for round in 1...50 {
            let arrivals = DispatchQueue(label: "arrivals")
            arrivals.async { try? add(3) }
            inbox.wait(for: 4, pause: .seconds(3600))
            #expect(inbox.takeAll().count >= 4, "round \(round)")
            try arrivals.sync {
                _ = inbox.takeAll()
                try add(1)
            }
        }
    }

    @Test func whoIsThereAlreadyIsNotWaitedFor() throws {
        try add(3)
        inbox.wait(for: 3, pause: .seconds(3600))
        inbox.wait(for: 2, pause: .seconds(3600))
        #expect(inbox.takeAll().count == 3)
    }

    @Test func whenNobodyComesTheWaitEnds() throws {
        try add(2)
        inbox.wait(for: 3, pause: .microseconds(1))
        // Told of the third one too late: that mustn't end the next wait, for which three are to come.
        try add(1)
        #expect(inbox.takeAll().count == 3)
        let arrivals = DispatchQueue(label: "arrivals")
        arrivals.async { try? add(3) }
        inbox.wait(for: 3, pause: .seconds(3600))
        #expect(inbox.takeAll().count == 3)
        arrivals.sync {}
    }
}

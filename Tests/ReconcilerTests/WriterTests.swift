import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Reconciler

/// Work on the writer's thread, and on that of one who may block.
@Suite struct WriterTests {
    private let writer = Writer()

    @Test func aLoneCallerDoesItBeforeTheCallReturns() {
        let runner = Mutex(pthread_t())
        let wasDone = writer.runHere { runner.withLock { $0 = pthread_self() } }
        #expect(wasDone)
        #expect(runner.withLock { $0 } == pthread_self())
    }

    @Test func nothingIsDoneHereWhileOtherWorkIsDoneOrWaits() async {
        let gate = DispatchSemaphore(value: 0)
        writer.async { gate.wait() }
        // Whether it has begun or not.
        let wasDone = writer.runHere { Issue.record("two at once") }
        #expect(!wasDone)
        gate.signal()
        await drain()
    }

    @Test func whatComesMeanwhileIsDoneAfterwardsByTheThread() async {
        let order = Mutex<[Int]>([])
        let caller = pthread_self()
        let wasDone = writer.runHere {
            for number in 2...9 {
                writer.async {
                    #expect(pthread_self() != caller)
                    order.withLock { $0.append(number) }
                }
            }
            let wasDoneInside = writer.runHere {}
            #expect(!wasDoneInside)
            order.withLock { $0.append(1) }
        }
        #expect(wasDone)
        await drain()
        #expect(order.withLock { $0 } == Array(1...9))
    }

    /// Threads that give work of both kinds.
    @Test func twoPiecesAreNeverDoneAtOnceAndNoneIsLost() async {
        let isInside = Atomic(false)
        let done = Atomic(0)
        let refused = Atomic(0)
        let work: @Sendable () -> Void = {
            #expect(isInside.exchange(true, ordering: .acquiring) == false)
            done.add(1, ordering: .relaxed)
            isInside.store(false, ordering: .releasing)
        }
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<5000 {
                if (round + thread) % 3 == 0 {
                    writer.async(work)
                } else if !writer.runHere(work) {
                    refused.add(1, ordering: .relaxed)
                }
            }
        }
        await drain()
        #expect(done.load(ordering: .relaxed) + refused.load(ordering: .relaxed) == 20_000)
    }

    private func drain() async {
        await withCheckedContinuation { continuation in writer.async { continuation.resume() } }
    }
}

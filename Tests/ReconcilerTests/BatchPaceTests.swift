import Testing

@testable import Reconciler

@Suite struct BatchPaceTests {
    private func learn(_ pace: inout BatchPace, _ found: Int, took: Duration = .milliseconds(2)) {
        pace.learn(found: found, took: took, limit: 256)
    }

    @Test func aClientAloneNeverWaits() {
        var pace = BatchPace()
        for _ in 0..<100 {
            #expect(pace.expected == 1)
            learn(&pace, 1)
        }
    }

    /// 32 clients of which the writer finds 3 at first: it looks for twice as many until it has them all.
    @Test func companyIsFound() {
        var pace = BatchPace()
        learn(&pace, 3)
        for expected in [6, 12, 24] {
            #expect(pace.expected == expected)
            learn(&pace, expected)
        }
        #expect(pace.expected == 48)
        learn(&pace, 32)
        #expect(pace.expected == 36)
        learn(&pace, 32)
        #expect(pace.expected == 32)
    }

    @Test func waitingInVainIsRare() {
        var pace = BatchPace()
        learn(&pace, 2)
        var probes = 0
        for _ in 0..<170 {
            if pace.expected > 2 { probes += 1 }
            learn(&pace, 2)
        }
        #expect((10...22).contains(probes))
    }

    @Test func companyThatLeavesIsForgotten() {
        var pace = BatchPace()
        learn(&pace, 32)
        for _ in 0..<16 { learn(&pace, 1) }
        #expect(pace.expected == 1)
        learn(&pace, 0)
        #expect(pace.expected == 1)
    }

    @Test func theLimitHolds() {
        var pace = BatchPace()
        for _ in 0..<20 { pace.learn(found: max(pace.expected, 2), took: .zero, limit: 100) }
        #expect(pace.expected <= 100)
    }

    @Test(arguments: [
        (Duration.zero, Duration.microseconds(100)), (.milliseconds(2), .milliseconds(2)),
        (.seconds(1), .milliseconds(5)),
    ])
    func thePauseFollowsTheBatch(_ took: Duration, _ pause: Duration) {
        var pace = BatchPace()
        learn(&pace, 2, took: took)
        #expect(pace.pause == pause)
    }
}

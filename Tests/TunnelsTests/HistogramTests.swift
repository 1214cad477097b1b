import Testing
import Tunnels

@Suite struct HistogramTests {
    @Test func eachValueFallsIntoOneRange() {
        var histogram = Histogram(bounds: [0.1, 1])
        for value in [0.0, 0.1, 0.5, 1.0, 7.0] { histogram.add(value) }
        #expect(histogram.counts == [2, 2, 1])
        #expect((histogram.count, histogram.sum) == (5, 8.6))
    }

    @Test func durationsAreSeconds() {
        var histogram = Histogram.ofDurations
        histogram.add(.milliseconds(2500))
        #expect(histogram.sum == 2.5)
        #expect(histogram.counts.firstIndex(of: 1) == histogram.bounds.firstIndex(of: 2.5))
        #expect(histogram.bounds == histogram.bounds.sorted())
    }
}

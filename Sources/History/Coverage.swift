/// Which resolution answers for which time. Each covers one stretch, from the oldest that is kept to the newest that is
/// complete, and within it a place without anything is a gap, whatever another resolution might tell of it.
struct Coverage {
    /// By resolution, in seconds since 1970; nil where there is nothing.
    private let spans: [Range<Int64>?]

    init(_ spans: [Range<Int64>?]) {
        self.spans = spans
    }

    /// The parts of a time and who answers for each: the coarsest resolution of which steps can be made, where it covers
    /// the time; else a finer one, which reaches nearer to the present; else a coarser one, which reaches further back.
    func parts(of span: StepSpan) -> [(resolution: Resolution, time: Range<Int64>)] {
        let fitting = Resolution.allCases.filter { span.step % $0.seconds == 0 }
        let first = fitting.last ?? .second
        let finer = Resolution.allCases.filter { $0 < first }.reversed()
        let coarser = Resolution.allCases.filter { $0 > first }
        var open = [span.range]
        var parts: [(Resolution, Range<Int64>)] = []
        for resolution in [first] + finer + coarser {
            guard let covered = spans[resolution.rawValue] else { continue }
            parts += open.map { ($0.clamped(to: covered)) }.filter { !$0.isEmpty }.map { (resolution, $0) }
            open = open.flatMap { time in
                [
                    time.lowerBound..<min(time.upperBound, max(covered.lowerBound, time.lowerBound)),
                    max(time.lowerBound, min(covered.upperBound, time.upperBound))..<time.upperBound,
                ]
            }.filter { !$0.isEmpty }
        }
        return parts
    }
}

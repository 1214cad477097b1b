internal import Synchronization
public import Tunnels

extension RateHistory {
    /// What is known of a tunnel. Reads memory and, for what is older, the file.
    ///
    /// - Parameters:
    ///   - span: the steps to answer, which may reach before all that is known and after now.
    ///   - now: by the wall clock.
    public func series(of tunnel: TunnelID, in span: StepSpan, now: Timestamp) -> RateSeries {
        let now = now.milliseconds.floorDivided(by: 1000)
        var resampler = Resampler(span)
        let onDisk = Resolution.allCases.map { disk?.span($0, now: now) }
        let older = memory.frames.withLock { $0.add(tunnel, to: &resampler, onDisk: onDisk) }
        disk?.read { file in
            for part in older {
                try file.read(tunnel, part.resolution, in: part.time) { resampler.add($1, in: $0) }
            }
        }
        return resampler.series
    }
}

extension Frames {
    /// Adds what is in memory.
    ///
    /// - Parameter onDisk: the times that the file has, by resolution.
    /// - Returns: what is to be read from the file.
    func add(
        _ tunnel: TunnelID, to resampler: inout Resampler, onDisk: [Range<Int64>?]
    ) -> [(resolution: Resolution, time: Range<Int64>)] {
        let coverage = Coverage(zip(rings, onDisk).map { $0.coverage(with: $1) })
        var older: [(Resolution, Range<Int64>)] = []
        for (resolution, time) in coverage.parts(of: resampler.span) {
            let begin = self[resolution].span?.lowerBound ?? .max
            if time.lowerBound < begin { older.append((resolution, time.lowerBound..<min(time.upperBound, begin))) }
            guard let slot = slots.slot(of: tunnel), time.upperBound > begin else { continue }
            let seconds = resolution.seconds
            let places =
                max(time.lowerBound, begin).floorDivided(
                    by: seconds)..<(time.upperBound + seconds - 1).floorDivided(by: seconds)
            for frame in self[resolution].frames(in: places) {
                let end = (frame.place + 1) * seconds
                let span = (end - seconds..<end).clamped(to: time)
                if end > slots.since[slot], !span.isEmpty { resampler.add(frame[slot], in: span) }
            }
        }
        return older
    }
}

extension FrameRing {
    /// The time for which it answers, together with the file. That is all time before it, where nothing was dropped: then
    /// there was nothing. But seconds were perhaps in the memory of a former process.
    fileprivate func coverage(with file: Range<Int64>?) -> Range<Int64>? {
        guard let span else { return file }
        let isAll = resolution != .second && !hasDropped
        // The file may end later, with what was written when the clock was wrong.
        return min(file?.lowerBound ?? (isAll ? .min : span.lowerBound), span.lowerBound)..<span.upperBound
    }
}

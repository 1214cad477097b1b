/// Random numbers that are the same in each run (SplitMix64), so that a failure can be had again.
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension SeededGenerator {
    public mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// True once in `times`.
    public mutating func once(in times: Int) -> Bool { below(times) == 0 }

    /// Some of the values, in their order.
    public mutating func some<Value>(of values: [Value]) -> [Value] {
        values.filter { _ in Bool.random(using: &self) }
    }

    public mutating func one<Value>(of values: [Value]) -> Value {
        values[below(values.count)]
    }
}

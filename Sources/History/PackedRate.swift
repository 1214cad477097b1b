/// A rate in 16 bits: 6 of exponent and 10 of mantissa, so that it is true to 0.05 %, from 2^-16 (less is 0) to 2.8e14 (more
/// is that). No sign, as no rate is negative. The order of the codes is that of the rates.
///
/// Half of a `Float`: so all tunnels' rates of ten minutes have room in memory where there are ten thousand.
enum PackedRate {
    /// There was nothing to tell.
    static let nothing: UInt16 = 0xFFFF

    /// Bits of a Float's mantissa that are left off.
    private static let dropped: UInt32 = 13
    /// What the exponent of a Float is lowered by, in place.
    private static let bias: UInt32 = 111 << 10

    static func pack(_ rate: Float) -> UInt16 {
        guard rate > 0 else { return 0 }
        let bits = rate.bitPattern
        // To the nearest; of two equally near, to the even one, so that averages don't drift.
        let kept = (bits + 0x0FFF + (bits >> dropped & 1)) >> dropped
        guard kept > bias else { return 0 }
        return UInt16(truncatingIfNeeded: min(kept - bias, 0xFFFE))
    }

    /// - Parameter code: not `nothing`.
    static func unpack(_ code: UInt16) -> Float {
        code == 0 ? 0 : Float(bitPattern: (UInt32(code) + bias) << dropped)
    }
}

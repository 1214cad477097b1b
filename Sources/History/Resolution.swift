/// How finely time is divided. A *place* is one such piece of time, numbered from 1970 on; a *block* is as many places as
/// are one row on disk.
public enum Resolution: Int, Sendable, CaseIterable, Comparable {
    case second, tenSeconds, minute, hour

    /// Of one place.
    public var seconds: Int64 {
        switch self {
        case .second: 1
        case .tenSeconds: 10
        case .minute: 60
        case .hour: 3600
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    var coarser: Resolution? { Resolution(rawValue: rawValue + 1) }
    var finer: Resolution? { Resolution(rawValue: rawValue - 1) }

    /// Those that are kept on disk.
    static let stored: [Resolution] = [.tenSeconds, .minute, .hour]

    /// Places in a block: five minutes, an hour, a day. Each holds all that the next coarser place is made of.
    var blockPlaces: Int {
        switch self {
        case .second: 1
        case .tenSeconds: 30
        case .minute: 60
        case .hour: 24
        }
    }

    var blockSeconds: Int64 { seconds * Int64(blockPlaces) }

    /// Blocks that are kept on disk where there is room: 6 hours, 7 days, 400 days.
    var fullBlocks: Int {
        switch self {
        case .second: 0
        case .tenSeconds: 72
        case .minute: 168
        case .hour: 400
        }
    }
}

extension Int64 {
    /// Rounds down, also below zero.
    ///
    /// - Parameter divisor: more than zero.
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

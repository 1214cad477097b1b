internal import Tunnels

extension LinkCounters {
    /// nil where a counter went back: the link began anew.
    func growth(since former: LinkCounters) -> LinkCounters? {
        isContinuing(former) ? self &- former : nil
    }

    /// Whether no counter went back since.
    func isContinuing(_ former: LinkCounters) -> Bool {
        rx.isContinuing(former.rx) && tx.isContinuing(former.tx) && carrierErrors >= former.carrierErrors
    }

    /// Wraps around, as does the difference: what is added to a link's counters to give a total may be less than zero.
    static func &+ (left: LinkCounters, right: LinkCounters) -> LinkCounters {
        left.combined(with: right) { $0 &+ $1 }
    }

    static func &- (left: LinkCounters, right: LinkCounters) -> LinkCounters {
        left.combined(with: right) { $0 &- $1 }
    }

    @inline(__always)
    private func combined(with other: LinkCounters, _ operation: (UInt64, UInt64) -> UInt64) -> LinkCounters {
        var result = LinkCounters()
        result.rx = rx.combined(with: other.rx, operation)
        result.tx = tx.combined(with: other.tx, operation)
        result.carrierErrors = operation(carrierErrors, other.carrierErrors)
        return result
    }
}

extension LinkCounters.Direction {
    fileprivate func isContinuing(_ former: Self) -> Bool {
        bytes >= former.bytes && packets >= former.packets && errors >= former.errors && dropped >= former.dropped
    }

    @inline(__always)
    fileprivate func combined(with other: Self, _ operation: (UInt64, UInt64) -> UInt64) -> Self {
        var result = Self()
        result.bytes = operation(bytes, other.bytes)
        result.packets = operation(packets, other.packets)
        result.errors = operation(errors, other.errors)
        result.dropped = operation(dropped, other.dropped)
        return result
    }
}

internal import CMnl

extension Route {
    /// Reads the body of `RTM_NEWROUTE` or `RTM_DELROUTE`.
    init(_ body: RawSpan) throws(Malformed) {
        let header = try body.load(rtmsg.self)
        self.init(.any, prefixLength: header.rtm_dst_len)
        table = UInt32(header.rtm_table)
        proto = RouteProtocol(rawValue: header.rtm_protocol)
        scope = Scope(rawValue: header.rtm_scope)
        type = RouteType(rawValue: header.rtm_type)
        tos = header.rtm_tos
        flags = RouteFlags(rawValue: header.rtm_flags)
        try body.forEachAttribute(after: MemoryLayout<rtmsg>.size) { (type, value, whole) throws(Malformed) in
            switch type {
            case RTA.destination: destination = try value.address()
            case RTA.interface: interface = try value.number()
            case RTA.gateway: gateway = try value.address()
            case RTA.preferredSource: preferredSource = try value.address()
            case RTA.priority: metric = try value.number()
            case RTA.table: table = try value.number()
            case RTA.metrics: try readMetrics(value)
            default: other.append(whole)
            }
        }
    }

    private mutating func readMetrics(_ payload: RawSpan) throws(Malformed) {
        try payload.forEachAttribute { (type, value, whole) throws(Malformed) in
            if type == RTAX_MTU { mtu = try value.number() } else { otherMetrics.append(whole) }
        }
    }

    /// Writes the body of a message, in the kernel's own order (`fib_dump_info`).
    func body() -> MessageWriter {
        var writer = MessageWriter(header)
        writer.put(RTA.table, table)
        if prefixLength > 0 { writer.put(RTA.destination, destination) }
        if let metric { writer.put(RTA.priority, metric) }
        if mtu != nil || !otherMetrics.isEmpty {
            writer.nested(RTA.metrics) { metrics in
                if let mtu { metrics.put(RTAX_MTU, mtu) }
                metrics.put(otherMetrics)
            }
        }
        if let preferredSource { writer.put(RTA.preferredSource, preferredSource) }
        if let gateway { writer.put(RTA.gateway, gateway) }
        if let interface { writer.put(RTA.interface, interface) }
        writer.put(other)
        return writer
    }

    private var header: rtmsg {
        // A table that doesn't fit into the header is told there as RT_TABLE_COMPAT, and in RTA_TABLE.
        rtmsg(
            rtm_family: UInt8(AF_INET), rtm_dst_len: prefixLength, rtm_src_len: 0, rtm_tos: tos,
            rtm_table: UInt8(exactly: table) ?? UInt8(RT_TABLE_COMPAT.rawValue), rtm_protocol: proto.rawValue,
            rtm_scope: scope.rawValue, rtm_type: type.rawValue, rtm_flags: flags.rawValue)
    }

    var text: String { "\(destination)/\(prefixLength)" }
}

/// `RTA_…` as numbers: the header has them as an enum of its own.
enum RTA {
    static var destination: Int { Int(RTA_DST.rawValue) }
    static var interface: Int { Int(RTA_OIF.rawValue) }
    static var gateway: Int { Int(RTA_GATEWAY.rawValue) }
    static var preferredSource: Int { Int(RTA_PREFSRC.rawValue) }
    static var priority: Int { Int(RTA_PRIORITY.rawValue) }
    static var table: Int { Int(RTA_TABLE.rawValue) }
    static var metrics: Int { Int(RTA_METRICS.rawValue) }
    static var mark: Int { Int(RTA_MARK.rawValue) }
}

internal import CMnl

extension Link {
    /// Reads the body of `RTM_NEWLINK` or `RTM_DELLINK`.
    ///
    /// - Parameter keepingOther: whether what isn't interpreted is kept. A dump saves an allocation without it.
    init(_ body: RawSpan, keepingOther: Bool = true) throws(Malformed) {
        let header = try body.load(ifinfomsg.self)
        index = UInt32(bitPattern: header.ifi_index)
        flags = LinkFlags(rawValue: header.ifi_flags)
        hardwareType = header.ifi_type
        try body.forEachAttribute(after: MemoryLayout<ifinfomsg>.size) {
            (type, value, whole) throws(Malformed) in
            switch type {
            case IFLA_IFNAME: name = value.string()
            case IFLA_MTU: mtu = try value.number()
            case IFLA_GROUP: group = try value.number()
            case IFLA_IFALIAS: alias = value.string()
            case IFLA_LINK: link = try value.number()
            case IFLA_MASTER: master = try value.number()
            case IFLA_OPERSTATE: operationalState = OperationalState(rawValue: try value.number())
            case IFLA_LINKINFO: info = try LinkInfo(value)
            case IFLA_STATS64: counters = try LinkCounters(value)
            default:
                guard keepingOther else { return }
                other.reserve(body.byteCount)
                other.append(whole)
            }
        }
    }

    /// Writes the body of a message about this link.
    ///
    /// - Parameter changing: which flags shall be set (`ifi_change`); the kernel leaves the others as they are.
    func body(changing: LinkFlags) -> MessageWriter {
        var writer = MessageWriter(header(changing: changing))
        put(into: &writer)
        return writer
    }

    func header(changing: LinkFlags) -> ifinfomsg {
        ifinfomsg(
            ifi_family: UInt8(AF_UNSPEC), __ifi_pad: 0, ifi_type: hardwareType,
            ifi_index: Int32(bitPattern: index), ifi_flags: flags.rawValue, ifi_change: changing.rawValue)
    }

    func put(into writer: inout MessageWriter) {
        if let name { writer.put(IFLA_IFNAME, name) }
        if let operationalState { writer.put(IFLA_OPERSTATE, operationalState.rawValue) }
        if let mtu { writer.put(IFLA_MTU, mtu) }
        if let group { writer.put(IFLA_GROUP, group) }
        if let master { writer.put(IFLA_MASTER, master) }
        if let link { writer.put(IFLA_LINK, link) }
        // The kernel takes an alias by its length: a NUL would become part of it, and an empty one remove nothing.
        if let alias { writer.put(IFLA_IFALIAS, alias, terminated: false) }
        switch namespace {
        case .process(let pid): writer.put(IFLA_NET_NS_PID, pid)
        case .descriptor(let descriptor): writer.put(IFLA_NET_NS_FD, descriptor)
        case nil: break
        }
        if let counters { counters.put(IFLA_STATS64, into: &writer) }
        info?.put(into: &writer)
        writer.put(other)
    }
}

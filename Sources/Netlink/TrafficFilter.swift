internal import CMnl

/// A filter that looks at the packets of a link (`tcf_fill_node`, `cls_bpf_dump`).
public struct TrafficFilter: Hashable, Sendable {
    public var place: FilterPlace
    /// The classifier's name; the fields below are those of `bpf`.
    public var kind: String
    public var name: String?
    /// The program's number in the kernel (`TCA_BPF_ID`).
    public var programID: UInt32?
    /// What the kernel makes of the program's instructions: the same instructions have the same one.
    public var programTag: [UInt8] = []
    public var flags: FilterFlags = []

    /// The kind of those that run a program.
    public static let bpf = "bpf"
}

/// Where a filter is: one place holds one filter.
public struct FilterPlace: Hashable, Sendable {
    /// Ifindex of the link.
    public var interface: UInt32
    public var parent: FilterParent
    /// The lower one is asked first; from 1. The kernel chooses from `0xC000` down where none is given.
    public var priority: UInt16
    /// Its number among those of its priority; from 1.
    public var handle: UInt32
    /// EtherType of the packets that it is asked about. A priority belongs to one.
    public var proto = UInt16(ETH_P_ALL)

    public init(interface: UInt32, parent: FilterParent, priority: UInt16, handle: UInt32) {
        self.interface = interface
        self.parent = parent
        self.priority = priority
        self.handle = handle
    }

    init(_ header: tcmsg) {
        self.init(
            interface: UInt32(bitPattern: header.tcm_ifindex), parent: FilterParent(rawValue: header.tcm_parent),
            priority: UInt16(header.tcm_info >> 16), handle: header.tcm_handle)
        proto = UInt16(bigEndian: UInt16(truncatingIfNeeded: header.tcm_info))
    }

    var header: tcmsg {
        tcmsg(
            interface, handle: handle, parent: parent.rawValue,
            information: UInt32(priority) << 16 | UInt32(proto.bigEndian))
    }

    var text: String { "filter \(priority)/\(handle) on \(parent) of link number \(interface)" }
}

/// What a filter hangs on (`tcm_parent`).
public struct FilterParent: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// What comes in by the link, on its `clsact`.
    public static let ingress = FilterParent(rawValue: TC_H_CLSACT & TC_H_MAJ_MASK | TC_H_MIN_INGRESS)
    /// What goes out by the link, on its `clsact`.
    public static let egress = FilterParent(rawValue: TC_H_CLSACT & TC_H_MAJ_MASK | TC_H_MIN_EGRESS)

    public var description: String {
        switch self {
        case .ingress: "ingress"
        case .egress: "egress"
        default: "\(String(rawValue >> 16, radix: 16)):\(String(rawValue & 0xFFFF, radix: 16))"
        }
    }
}

/// `TCA_BPF_FLAGS`.
public struct FilterFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// What the program returns is what becomes of the packet.
    public static let directAction = FilterFlags(rawValue: UInt32(TCA_BPF_FLAG_ACT_DIRECT))
}

extension TrafficFilter {
    /// Reads the body of `RTM_NEWTFILTER` or `RTM_DELTFILTER`.
    init(_ body: RawSpan) throws(Malformed) {
        self.init(place: FilterPlace(try body.load(tcmsg.self)), kind: "")
        try body.forEachAttribute(after: MemoryLayout<tcmsg>.size) { (type, value, _) throws(Malformed) in
            switch type {
            case TCA_KIND: kind = value.string()
            // The kind comes first; each has numbers of its own.
            case TCA_OPTIONS where kind == Self.bpf: try readOptions(value)
            default: break
            }
        }
    }

    private mutating func readOptions(_ options: RawSpan) throws(Malformed) {
        try options.forEachAttribute { (type, value, _) throws(Malformed) in
            switch type {
            case TCA_BPF_NAME: name = value.string()
            case TCA_BPF_ID: programID = try value.number()
            case TCA_BPF_TAG: programTag = value.array()
            case TCA_BPF_FLAGS: flags = FilterFlags(rawValue: try value.number())
            default: break
            }
        }
    }

    /// Before the filters of a priority a dump tells of the priority itself.
    var isFilter: Bool { place.handle != 0 }
}

internal import CMnl

/// A queueing discipline of a link (`linux/pkt_sched.h`). The only one made here is `clsact`: it queues nothing, and is
/// the place for filters of all that comes in and goes out.
public struct Qdisc: Hashable, Sendable {
    public static let clsact = "clsact"
    /// The older place, for filters of what comes in only.
    public static let ingress = "ingress"

    /// Ifindex of the link.
    public var interface: UInt32
    public var kind: String
    /// Its number on the link (`tcm_handle`), as `tc` writes it: `ffff:` is `0xFFFF_0000`.
    public var handle: UInt32
    /// Where it hangs (`TC_H_ROOT`, `TC_H_CLSACT` or a class).
    public var parent: UInt32

    /// Reads the body of `RTM_NEWQDISC` or `RTM_DELQDISC`.
    init(_ body: RawSpan) throws(Malformed) {
        let header = try body.load(tcmsg.self)
        var kind = ""
        try body.forEachAttribute(after: MemoryLayout<tcmsg>.size) { (type, value, _) throws(Malformed) in
            if type == TCA_KIND { kind = value.string() }
        }
        interface = UInt32(bitPattern: header.tcm_ifindex)
        handle = header.tcm_handle
        parent = header.tcm_parent
        self.kind = kind
    }

    /// Says which one is meant; the kernel derives the handle of a `clsact` from its parent.
    fileprivate static func clsact(of interface: UInt32) -> MessageWriter {
        var writer = MessageWriter(
            tcmsg(interface, handle: TC_H_CLSACT & TC_H_MAJ_MASK, parent: TC_H_CLSACT, information: 0))
        writer.put(TCA_KIND, clsact)
        return writer
    }
}

extension tcmsg {
    init(_ interface: UInt32, handle: UInt32, parent: UInt32, information: UInt32) {
        self.init(
            tcm_family: UInt8(AF_UNSPEC), tcm__pad1: 0, tcm__pad2: 0, tcm_ifindex: Int32(bitPattern: interface),
            tcm_handle: handle, tcm_parent: parent, tcm_info: information)
    }
}

extension Request {
    /// Gives a link its place for filters; `EEXIST` when it has one, `ENOENT` on a kernel without `clsact`, `ENODEV`
    /// (`tc qdisc add dev … clsact`).
    public static func addClsact(to interface: UInt32) -> Request {
        Request(
            "add clsact to link number \(interface)", type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_EXCL,
            Qdisc.clsact(of: interface))
    }

    /// Takes it away with all its filters; `ENOENT` or `EINVAL` when it isn't there (`tc qdisc delete dev … clsact`).
    public static func deleteClsact(of interface: UInt32) -> Request {
        Request("delete clsact of link number \(interface)", type: RTM_DELQDISC, Qdisc.clsact(of: interface))
    }
}

extension NetlinkSocket {
    /// The links that have a place for filters of what comes in, of either kind.
    public func filterPlaces() throws(NetlinkError) -> Set<UInt32> {
        try qdiscs(into: []) { links, qdisc in
            if [Qdisc.clsact, Qdisc.ingress].contains(qdisc.kind) { links.insert(qdisc.interface) }
        }
    }

    /// Folds all qdiscs into a value. The kernel itself answers with those of all links.
    ///
    /// - Parameter initial: asked for again when the kernel says that the dump was inconsistent.
    func qdiscs<Result>(
        into initial: @autoclosure () -> Result, _ body: (inout Result, Qdisc) -> Void
    ) throws(NetlinkError) -> Result {
        let all = MessageWriter(tcmsg(0, handle: 0, parent: 0, information: 0))
        let request = Request("read the qdiscs", type: RTM_GETQDISC, flags: NLM_F_DUMP, all)
        return try dump(request, answer: RTM_NEWQDISC, into: initial()) { (result, payload) throws(Malformed) in
            body(&result, try Qdisc(payload))
        }
    }
}

internal import CMnl

extension Request {
    /// Puts a program where no filter is yet; `EEXIST` where one is, `EINVAL` without a `clsact`, or where the priority
    /// belongs to another kind or protocol (`tc filter add … bpf direct-action`).
    ///
    /// - Parameters:
    ///   - program: descriptor of a program of type `BPF_PROG_TYPE_SCHED_CLS`, open until this is executed.
    ///   - name: what `tc filter show` calls it.
    public static func addFilter(_ place: FilterPlace, program: Int32, name: String) -> Request {
        Request(
            "add \(place.text)", type: RTM_NEWTFILTER, flags: NLM_F_CREATE | NLM_F_EXCL,
            place.body(running: program, name: name))
    }

    /// Puts a program where a filter is or isn't. Each packet meets the old one or the new one: `cls_bpf` swaps one for
    /// the other in its list (`tc filter replace … bpf direct-action`).
    public static func replaceFilter(_ place: FilterPlace, program: Int32, name: String) -> Request {
        Request(
            "replace \(place.text)", type: RTM_NEWTFILTER, flags: NLM_F_CREATE | NLM_F_REPLACE,
            place.body(running: program, name: name))
    }

    /// Deletes one filter; `ENOENT` when it isn't there, `EINVAL` without a `clsact` (`tc filter delete`).
    public static func deleteFilter(_ place: FilterPlace) -> Request {
        Request("delete \(place.text)", type: RTM_DELTFILTER, place.body())
    }

    /// Answers with `.filter`; `ENOENT` when it isn't there but another is, `EINVAL` when none is there or no `clsact`,
    /// `ENODEV` (`tc filter get`).
    public static func readFilter(_ place: FilterPlace) -> Request {
        Request("read \(place.text)", type: RTM_GETTFILTER, place.body())
    }
}

extension FilterPlace {
    fileprivate func body() -> MessageWriter {
        var writer = MessageWriter(header)
        // The kernel takes 0 for "any": it would choose, or delete them all.
        if priority == 0 || handle == 0 { writer.fail(Malformed("a filter's priority and handle begin at 1")) }
        writer.put(TCA_KIND, TrafficFilter.bpf)
        return writer
    }

    fileprivate func body(running program: Int32, name: String) -> MessageWriter {
        var writer = body()
        writer.nested(TCA_OPTIONS) { options in
            options.put(TCA_BPF_FD, program)
            options.put(TCA_BPF_NAME, name)
            options.put(TCA_BPF_FLAGS, FilterFlags.directAction.rawValue)
        }
        return writer
    }
}

extension NetlinkSocket {
    /// All filters on one side of a link, of whatever kind; none, where there is no such link or no `clsact`.
    public func filters(interface: UInt32, parent: FilterParent) throws(NetlinkError) -> [TrafficFilter] {
        let side = MessageWriter(tcmsg(interface, handle: 0, parent: parent.rawValue, information: 0))
        let request = Request(
            "read the filters on \(parent) of link number \(interface)", type: RTM_GETTFILTER, flags: NLM_F_DUMP, side)
        return try dump(request, answer: RTM_NEWTFILTER, into: []) { (filters, payload) throws(Malformed) in
            let filter = try TrafficFilter(payload)
            if filter.isFilter { filters.append(filter) }
        }
    }
}

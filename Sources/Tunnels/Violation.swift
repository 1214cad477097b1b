/// A value that can't be: where in the definition it stands and what to do about it.
public struct Violation: Error, Hashable, Sendable {
    /// A JSON pointer (RFC 6901) into the definition, as `/addresses/0`.
    public let pointer: String
    public let detail: String

    public init(_ pointer: String, _ detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}

/// Bounds on what one definition may hold.
public enum DefinitionLimits {
    public static let addresses = 32
    public static let routes = 256
    public static let labels = 32
    public static let labelKeyBytes = 63
    public static let labelValueBytes = 255
    public static let commentBytes = 1024
    /// IPv4's smallest MTU (RFC 791) and the largest that leaves room for the outer header.
    public static let mtu = 68...65_515
}

extension TunnelDefinition {
    /// Everything wrong with the definition that can be known without the kernel and other tunnels.
    public func violations() -> [Violation] {
        endpointViolations() + headerViolations() + addressViolations() + routeViolations() + textViolations()
    }

    private func endpointViolations() -> [Violation] {
        var found: [Violation] = []
        if let reason = Self.unusableEndpoint(remote) {
            found.append(Violation("/remote", "\(remote) is \(reason); give the other host's address."))
        }
        if let local, let reason = Self.unusableEndpoint(local) {
            found.append(Violation("/local", "\(local) is \(reason); give an address of this host, or null."))
        }
        if local == remote {
            found.append(Violation("/remote", "local and remote are the same; a tunnel joins two hosts."))
        }
        if underlay == name {
            found.append(Violation("/underlay", "a tunnel can't be its own underlay."))
        }
        return found
    }

    private static func unusableEndpoint(_ address: IPv4Address) -> String? {
        if address.isMulticast { return "a multicast address, which ipip can't have" }
        if address.isLoopback { return "a loopback address, which no other host can reach" }
        if address.bits == .max { return "the broadcast address" }
        if address.isReserved { return "in the reserved network 240.0.0.0/4" }
        if address.isThisNetwork { return "in 0.0.0.0/8, which names no host" }
        return nil
    }

    private func headerViolations() -> [Violation] {
        var found: [Violation] = []
        if let mtu, !DefinitionLimits.mtu.contains(mtu) {
            let (lower, upper) = (DefinitionLimits.mtu.lowerBound, DefinitionLimits.mtu.upperBound)
            found.append(
                Violation("/mtu", "give \(lower) to \(upper) bytes, or null to follow the underlay."))
        }
        if case .fixed(let ttl) = ttl {
            if ttl == 0 { found.append(Violation("/ttl", "give 1 to 255, or \"inherit\".")) }
            if !pmtudisc {
                let detail =
                    "a fixed ttl needs pmtudisc true: the kernel refuses it otherwise, as a loop could fragment."
                found.append(Violation("/ttl", detail))
            }
        }
        if case .fixed(let tos) = tos, tos & 3 != 0 {
            found.append(
                Violation("/tos", "give a multiple of 4: the two low bits belong to ECN (RFC 6040)."))
        }
        if fwmark == 0 {
            found.append(Violation("/fwmark", "give 1 to 4294967295, or null for no mark."))
        }
        return found
    }

    private struct Ends: Hashable {
        let local, far: IPv4Address
    }

    private struct Place: Hashable {
        let local: IPv4Address
        let subnet: IPv4Prefix
    }

    private func addressViolations() -> [Violation] {
        var found: [Violation] = []
        if addresses.count > DefinitionLimits.addresses {
            found.append(Violation("/addresses", "give at most \(DefinitionLimits.addresses)."))
        }
        var seen: Set<Ends> = []
        var subnets: Set<Place> = []
        for (position, address) in addresses.enumerated() {
            // To the kernel an address is another one if its subnet is (`__inet_insert_ifa`).
            let isNew = seen.insert(Ends(local: address.local, far: address.peer ?? address.local)).inserted
            let isElsewhere = subnets.insert(Place(local: address.local, subnet: address.onLinkPrefix)).inserted
            if !isNew || !isElsewhere {
                let detail = "\(address.local) is in the list twice; leave one out."
                found.append(Violation("/addresses/\(position)", detail))
            }
            if let reason = Self.unusableOnLink(address) {
                found.append(Violation("/addresses/\(position)", "\(address) \(reason)."))
            }
        }
        return found
    }

    private static func unusableOnLink(_ address: InterfaceAddress) -> String? {
        for end in [address.local, address.peer ?? address.local] {
            if end.isMulticast || end.isReserved || end.isThisNetwork || end.isLoopback {
                return "isn't a host's address: leave out multicast, reserved, loopback and 0.0.0.0/8"
            }
        }
        let prefix = address.onLinkPrefix
        if address.peer == nil, prefix.length <= 30 {
            if address.local == prefix.network { return "is its network's own address; give a host in it" }
            if address.local == prefix.broadcast { return "is its network's broadcast; give a host in it" }
        }
        return nil
    }

    private func routeViolations() -> [Violation] {
        var found: [Violation] = []
        if routes.count > DefinitionLimits.routes {
            found.append(Violation("/routes", "give at most \(DefinitionLimits.routes)."))
        }
        var seen: Set<TunnelRoute> = []
        for (position, route) in routes.enumerated() {
            if !seen.insert(route).inserted {
                found.append(
                    Violation("/routes/\(position)", "\(route.to) is in the list twice with one metric."))
            }
            if route.to.length > 0, route.to.network.isMulticast || route.to.network.isLoopback {
                found.append(
                    Violation("/routes/\(position)/to", "\(route.to) can't be routed into a tunnel."))
            }
        }
        return found
    }

    private func textViolations() -> [Violation] {
        var found: [Violation] = []
        if comment.utf8.count > DefinitionLimits.commentBytes {
            found.append(Violation("/comment", "give at most \(DefinitionLimits.commentBytes) bytes."))
        }
        if comment.utf8.contains(0) {
            found.append(Violation("/comment", "leave out U+0000."))
        }
        if labels.count > DefinitionLimits.labels {
            found.append(Violation("/labels", "give at most \(DefinitionLimits.labels)."))
        }
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) where !Self.isLabel(key, value) {
            let limits = "1 to \(DefinitionLimits.labelKeyBytes) of a-z, A-Z, 0-9, '_', '.', '/', '-'"
            let detail = "a key has \(limits), a value at most \(DefinitionLimits.labelValueBytes) bytes."
            found.append(Violation("/labels/" + Violation.escape(key), detail))
        }
        return found
    }

    private static func isLabel(_ key: String, _ value: String) -> Bool {
        (1...DefinitionLimits.labelKeyBytes).contains(key.utf8.count)
            && value.utf8.count <= DefinitionLimits.labelValueBytes && !value.utf8.contains(0)
            && key.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "_./-".utf8.contains(byte)
                }
            }
    }
}

extension Violation {
    /// One reference token of a JSON pointer (RFC 6901, section 3).
    public static func escape(_ key: String) -> String {
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
        var token = ""
        for character in key {
            switch character {
            case "~": token += "~0"
            case "/": token += "~1"
            default: token.append(character)
            }
        }
        return token
    }
}

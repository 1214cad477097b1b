internal import Tunnels

/// Readers of addresses. The commonest slips get an answer of their own, with what was probably meant.
extension Field {
    /// An outer address: `172.16.1.62`.
    static func endpoint(_ value: JSONValue) throws(FieldError) -> IPv4Address {
        let text = try text(value)
        guard let address = IPv4Address(text) else {
            if let slash = text.firstIndex(of: "/"), IPv4Address(text[..<slash]) != nil {
                throw .value("leave out the prefix length: \(text[..<slash]).")
            }
            throw .value(slip(in: text, meant: "an IPv4 address, as 172.16.1.62; names aren't looked up"))
        }
        return address
    }

    /// An address on the link: `192.168.1.1/24` or `192.168.1.1 peer 192.168.1.254/32`.
    static func interfaceAddress(_ value: JSONValue) throws(FieldError) -> InterfaceAddress {
        let text = try text(value)
        guard let address = InterfaceAddress(text) else {
            if IPv4Address(text) != nil {
                throw .value(
                    "\(text) has no prefix length; give it, as \(text)/24, or \(text)/32 for the address alone."
                )
            }
            throw .value(
                slip(
                    in: text,
                    meant: "an address with its prefix length, as 192.168.1.1/24, or with its peer, "
                        + "as 192.168.1.1 peer 192.168.1.254/32"))
        }
        return address
    }

    /// A route's destination: `10.20.0.0/16`.
    static func prefix(_ value: JSONValue) throws(FieldError) -> IPv4Prefix {
        let text = try text(value)
        do {
            return try IPv4Prefix(parsing: text)
        } catch {
            switch error {
            case .hostBits(let meant):
                throw .value("\(text) has bits set behind its prefix length; \(meant) was probably meant.")
            case .notAPrefix where text == "default" || text == "any":
                throw .value("write the default route as 0.0.0.0/0.")
            case .notAPrefix:
                throw .value(slip(in: text, meant: "a network with its prefix length, as 10.20.0.0/16"))
            }
        }
    }

    /// What is wrong with a text that isn't an address, or only what is wanted if nothing better is known.
    private static func slip(in text: String, meant: String) -> String {
        if text.contains(":") { return "\(quoted(text)) looks like IPv6; ipip carries and joins IPv4 only." }
        if let trimmed = withoutSpace(text) { return "leave out the space around \(trimmed)." }
        if let plain = withoutLeadingZeros(text) {
            return "\(quoted(text)) has leading zeros, which some read as octal; write \(plain)."
        }
        if let plain = withMaskAsLength(text) {
            return "give the prefix length in place of the mask: \(plain)."
        }
        return "\(quoted(text)) isn't what belongs here; give \(meant)."
    }

    private static func withoutSpace(_ text: String) -> Substring? {
        var trimmed = text[...]
        while trimmed.first?.isWhitespace == true { trimmed.removeFirst() }
        while trimmed.last?.isWhitespace == true { trimmed.removeLast() }
        return trimmed.count < text.count && isAddressOrPrefix(trimmed) ? trimmed : nil
    }

    private static func withoutLeadingZeros(_ text: String) -> String? {
        guard text.utf8.count <= 32 else { return nil }
        var plain = ""
        var isInNumber = false
        for (character, next) in zip(text, text.dropFirst() + " ") {
            if character == "0", !isInNumber, next.isNumber { continue }
            isInNumber = character.isNumber
            plain.append(character)
        }
        return plain != text && isAddressOrPrefix(plain) ? plain : nil
    }

    private static func withMaskAsLength(_ text: String) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, IPv4Address(parts[0]) != nil, let mask = IPv4Address(parts[1]) else {
            return nil
        }
        let length = (~mask.bits).leadingZeroBitCount
        guard IPv4Prefix(containing: IPv4Address(bits: .max), length: length).network == mask else {
            return nil
        }
        return "\(parts[0])/\(length)"
    }

    private static func isAddressOrPrefix(_ text: some StringProtocol) -> Bool {
        IPv4Address(text) != nil || InterfaceAddress(String(text)) != nil
    }
}

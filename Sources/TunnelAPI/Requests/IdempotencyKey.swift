internal import HTTPServer

extension Request {
    /// The value of `Idempotency-Key`, in quotes (a string of RFC 9651, as the IETF's draft has it) or without.
    func idempotencyKey() throws(Problem) -> String? {
        let values = headers.values("Idempotency-Key")
        guard let value = values.first else { return nil }
        guard values.count == 1, let key = Self.key(value), (1...255).contains(key.utf8.count) else {
            throw Problem(
                .invalidParameter, "Idempotency-Key is 1 to 255 visible ASCII characters, in quotes or without.")
        }
        return key
    }

    /// What a retry has in common with the first request.
    var digest: [UInt8] {
        let head = "\(method.rawValue) \(target.rawPath)?\(target.rawQuery ?? "")\n"
        return SHA256Digest(of: Array(head.utf8) + body).bytes
    }

    private static func key(_ value: String) -> String? {
        var bytes = value.utf8[...]
        guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        guard bytes.first == UInt8(ascii: "\"") else { return value.contains("\"") ? nil : value }
        bytes.removeFirst()
        var key: [UInt8] = []
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return bytes.isEmpty ? String(decoding: key, as: UTF8.self) : nil
            case UInt8(ascii: "\\"):
                guard let next = bytes.popFirst(), next == UInt8(ascii: "\"") || next == byte else { return nil }
                key.append(next)
            default: key.append(byte)
            }
        }
        return nil
    }
}

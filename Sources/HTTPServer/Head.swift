internal import CMicroHTTPD

/// A request's header section, checked while libmicrohttpd's own copy is still there.
///
/// libmicrohttpd 0.9.75 parses leniently where RFC 9112 demands refusal: it takes bare LF for a line end, joins
/// folded lines, cuts values at NUL, skips extra spaces, and of two fields that frame the body it takes one. But
/// it parses in place, putting a NUL over each colon and over each CR and LF. So when every line ended with
/// CRLF and nothing was cut or moved, then each name begins two bytes after the value before it, and the
/// section's end lies four bytes after the last. Checking that finds all of these at once.
struct Head {
    var fields: [RequestHeaders.Field] = []
    var hosts = 0
    var contentLengths = 0
    var transferEncodings = 0
    var isChunked = false
    var contentLength: Int?
    var expectation = Expectation.none
    private(set) var problem: HTTPError?

    enum Expectation { case none, proceed, unknown }

    /// Where the fields begin; addresses are compared and subtracted, never followed.
    private let start: UInt
    private let limits: Limits
    /// Where the next name must begin.
    private var next: UInt

    init(start: UInt, limits: Limits) {
        self.start = start
        self.limits = limits
        next = start
        fields.reserveCapacity(12)
    }

    /// Takes one field; false when the rest needn't be looked at.
    mutating func add(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard fields.count < limits.headerCount else {
            return refuse(.headersTooLarge("There must not be more than \(limits.headerCount) headers."))
        }
        let nameAddress = UInt(bitPattern: name.baseAddress)
        let valueAddress = UInt(bitPattern: value.baseAddress)
        guard nameAddress == next, valueAddress > nameAddress else {
            return refuse(.badRequest("Header lines must end with CRLF and must not be folded."))
        }
        guard name.count > 0, unsafe name.allSatisfy(\.isTokenCharacter) else {
            return refuse(.badRequest("A header's name must be a token directly followed by a colon."))
        }
        guard unsafe value.allSatisfy(\.isFieldValueCharacter) else {
            return refuse(.badRequest("A header's value holds a control character."))
        }
        next = valueAddress + UInt(value.count) + 2
        let trimmed = unsafe UnsafeBufferPointer(rebasing: value[..<value.trimmedEnd])
        let nameOffset = Int(nameAddress - start)
        let valueOffset = Int(valueAddress - start)
        fields.append(
            .init(
                name: nameOffset..<(nameOffset + name.count),
                value: valueOffset..<(valueOffset + trimmed.count), end: valueOffset + value.count))
        unsafe note(name: name, value: trimmed)
        return problem == nil
    }

    private mutating func note(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        switch name.count {
        case 4 where unsafe name.spells(ignoringCaseOf: "host"):
            hosts += 1
        case 6 where unsafe name.spells(ignoringCaseOf: "expect"):
            expectation = unsafe value.spells(ignoringCaseOf: "100-continue") ? .proceed : .unknown
        case 14 where unsafe name.spells(ignoringCaseOf: "content-length"):
            contentLengths += 1
            guard value.count > 0, unsafe value.allSatisfy(\.isDigit) else {
                problem = .badRequest("Content-Length must be digits.")
                return
            }
            // Too large for Int is too large for any limit.
            contentLength = unsafe Int(String(decoding: value, as: UTF8.self)) ?? .max
        case 17 where unsafe name.spells(ignoringCaseOf: "transfer-encoding"):
            transferEncodings += 1
            isChunked = unsafe value.spells(ignoringCaseOf: "chunked")
        default: break
        }
    }

    /// What stands against the section as a whole; `end` is the address after its last byte.
    func finished(end: UInt, isVersion11: Bool) -> HTTPError? {
        if let problem { return problem }
        guard next + 2 == end else {
            return .badRequest("Header lines must end with CRLF and must not be folded.")
        }
        if Int(end - start) > limits.headerBytes {
            return .headersTooLarge("The headers must not be larger than \(limits.headerBytes) bytes.")
        }
        if hosts > 1 || (hosts == 0 && isVersion11) { return .badRequest("Send exactly one Host header.") }
        if contentLengths > 1 { return .badRequest("Send only one Content-Length.") }
        if transferEncodings > 0 {
            guard contentLengths == 0 else {
                return .badRequest("Send either Content-Length or Transfer-Encoding, not both.")
            }
            guard transferEncodings == 1, isChunked, isVersion11 else {
                return .badRequest("The only transfer coding is chunked, once, in HTTP/1.1.")
            }
        }
        return expectation == .unknown ? .expectationFailed : nil
    }

    var announcesBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    private mutating func refuse(_ error: HTTPError) -> Bool {
        problem = error
        return false
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The index after the last byte that is neither space nor tab.
    fileprivate var trimmedEnd: Int {
        var end = count
        while end > 0, unsafe self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
        return end
    }
}

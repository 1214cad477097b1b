internal import CMicroHTTPD

// Reading a header section where libmicrohttpd has it, in place and cut up.

extension RequestHeaders {
    /// Checks a section field by field and takes a copy.
    convenience init(
        _ section: UnsafeBufferPointer<UInt8>, isVersion11: Bool, _ limits: Limits, _ mhd: MHDConnection
    ) throws(HTTPError) {
        let start = UInt(bitPattern: section.baseAddress)
        var head = Head(start: start, limits: limits)
        unsafe withUnsafeMutablePointer(to: &head) { pointer in
            _ = unsafe MHD_get_connection_values_n(mhd.pointer, .HEADER_KIND, addField, pointer)
        }
        if let error = head.finished(end: start + UInt(section.count), isVersion11: isVersion11) { throw error }
        // The section is known to be whole and in one piece, so it is copied in one.
        let framing = Framing(
            isVersion11: isVersion11, isChunked: head.isChunked, announcesBody: head.announcesBody,
            contentLength: head.contentLength)
        unsafe self.init(bytes: Array(section), fields: head.fields, framing: framing)
    }

    /// Whether a section is this one again: the same bytes, and libmicrohttpd found the same fields in them. Then all
    /// that was found out about this one holds for it.
    func isRepeated(
        in section: UnsafeBufferPointer<UInt8>, isVersion11: Bool, _ mhd: MHDConnection
    ) -> Bool {
        guard framing.isVersion11 == isVersion11,
            unsafe bytes.withUnsafeBufferPointer({ unsafe section.isSame(as: $0) })
        else { return false }
        var comparison = Comparison(known: fields, start: UInt(bitPattern: section.baseAddress))
        unsafe withUnsafeMutablePointer(to: &comparison) { pointer in
            _ = unsafe MHD_get_connection_values_n(mhd.pointer, .HEADER_KIND, compareField, pointer)
        }
        return comparison.isSame && comparison.next == fields.count
    }

    /// Of the places of fields with those of known ones. Addresses are compared, never followed.
    fileprivate struct Comparison {
        let known: [Field]
        let start: UInt
        var next = 0
        var isSame = true

        mutating func take(_ name: UInt, _ nameLength: Int, _ value: UInt, _ valueLength: Int) {
            guard isSame, next < known.count else {
                isSame = false
                return
            }
            let field = known[next]
            isSame =
                name - start == field.name.lowerBound && nameLength == field.name.count
                && value - start == field.value.lowerBound
                && Int(value - start) + valueLength == field.end
            next += 1
        }
    }
}

private func addField(
    _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
    _ nameLength: Int, _ value: UnsafePointer<CChar>?, _ valueLength: Int
) -> MHD_Result {
    guard let context = unsafe context, let name = unsafe name, let value = unsafe value else { return .NO }
    if unsafe isHidingCookies(name) { return .YES }
    let head = unsafe context.assumingMemoryBound(to: Head.self)
    let more = unsafe head.pointee.add(
        name: UnsafeBufferPointer(start: name, length: nameLength),
        value: UnsafeBufferPointer(start: value, length: valueLength))
    return more ? .YES : .NO
}

private func compareField(
    _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
    _ nameLength: Int, _ value: UnsafePointer<CChar>?, _ valueLength: Int
) -> MHD_Result {
    guard let context = unsafe context, let name = unsafe name else { return .NO }
    if unsafe isHidingCookies(name) { return .YES }
    let comparison = unsafe context.assumingMemoryBound(to: RequestHeaders.Comparison.self)
    unsafe comparison.pointee.take(
        UInt(bitPattern: name), nameLength, UInt(bitPattern: value), valueLength)
    return unsafe comparison.pointee.isSame ? .YES : .NO
}

private func isHidingCookies(_ name: UnsafePointer<CChar>) -> Bool {
    unsafe UnsafeRawPointer(name) == UnsafeRawPointer(hidingCookies.utf8Start)
}

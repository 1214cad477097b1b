/// The methods of RFC 9110, section 9, and PATCH of RFC 5789. Method names are case-sensitive.
public enum Method: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
    case trace = "TRACE"
    case connect = "CONNECT"
    /// A method that no route can have; it is answered as any method that a path lacks.
    case other = "-"

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self =
            switch bytes.count {
            case 3 where unsafe bytes.spells("GET"): .get
            case 3 where unsafe bytes.spells("PUT"): .put
            case 4 where unsafe bytes.spells("HEAD"): .head
            case 4 where unsafe bytes.spells("POST"): .post
            case 5 where unsafe bytes.spells("PATCH"): .patch
            case 5 where unsafe bytes.spells("TRACE"): .trace
            case 6 where unsafe bytes.spells("DELETE"): .delete
            case 7 where unsafe bytes.spells("OPTIONS"): .options
            case 7 where unsafe bytes.spells("CONNECT"): .connect
            default: .other
            }
    }
}

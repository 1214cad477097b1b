internal import CBPF
public import Netlink

/// Something of eBPF that failed: what was asked, which error, and what the verifier or libbpf said.
public struct BPFError: Error, Hashable, Sendable {
    /// What was asked, in words: "load program trial".
    public var operation: String
    /// As `errno`, or a number of libbpf's own (`LIBBPF_ERRNO__…`, from 4000).
    public var code: NetlinkError.Code
    /// The last lines of what the verifier or libbpf said, where they said anything.
    public var log: String

    init(operation: String, errno: Int32, log: String = "") {
        self.operation = operation
        code = NetlinkError.Code(rawValue: errno)
        self.log = Self.lastLines(of: log)
    }

    /// With the log of the whole, where there is nothing to say about the step itself.
    func explained(by log: String) -> BPFError {
        var error = self
        if error.log.isEmpty { error.log = Self.lastLines(of: log) }
        return error
    }

    /// The end of a long log is where the reason is.
    private static func lastLines(of log: String) -> String {
        let noise = ["-- BEGIN PROG LOAD LOG --", "-- END PROG LOAD LOG --", "processed "]
        let lines = log.split(separator: "\n").filter { line in !noise.contains { line.contains($0) } }
        return lines.suffix(12).joined(separator: "\n")
    }
}

extension BPFError: CustomStringConvertible {
    /// `load program trial: EINVAL (Invalid argument); …`, with the log in the same line or on those after it.
    public var description: String {
        var text = "\(operation): \(code)"
        if let meaning = code.meaning ?? libraryMeaning { text += " (\(meaning))" }
        if !log.isEmpty { text += "; \(log)" }
        return text
    }

    private var libraryMeaning: String? {
        guard code.rawValue >= LIBBPF_ERRNO__LIBELF.rawValue, code.rawValue < __LIBBPF_ERRNO__END.rawValue else {
            return nil
        }
        var text = [CChar](repeating: 0, count: 128)
        _ = unsafe libbpf_strerror(code.rawValue, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A call of libbpf that answers a negative number, and sets `errno`, when it fails.
@discardableResult
func calling(_ operation: @autoclosure () -> String, _ call: () -> Int32) throws(BPFError) -> Int32 {
    let result = call()
    guard result < 0 else { return result }
    let errno = cbpf_errno()
    throw BPFError(operation: operation(), errno: errno)
}

/// A descriptor that is ours, closed with the last reference.
final class Descriptor: Sendable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { _ = close(number) }
}

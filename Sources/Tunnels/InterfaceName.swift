/// A link's name that the kernel, `ip` and `/proc/sys/net` all take without quoting: 1 to 15 bytes
/// (`IFNAMSIZ` less the NUL) of ASCII letters, digits, `_`, `.` and `-`, beginning with a letter, digit or `_`.
///
/// The kernel (`dev_valid_name`) allows more, but `%` is a template to it, `:` an alias, `@` what `ip` prints
/// between a link and its underlay, and a leading `-` an option to every command.
public struct InterfaceName: Hashable, Sendable, Comparable {
    public let text: String

    public enum Problem: Error, Hashable {
        case empty, tooLong, badCharacter, reserved
    }

    public init(_ text: String) throws(Problem) {
        let bytes = text.utf8
        guard let first = bytes.first else { throw .empty }
        guard bytes.count <= 15 else { throw .tooLong }
        let dot = UInt8(ascii: ".")
        let dash = UInt8(ascii: "-")
        guard Self.isWordByte(first), bytes.allSatisfy({ Self.isWordByte($0) || $0 == dot || $0 == dash })
        else { throw .badCharacter }
        guard !Self.isReserved(text) else { throw .reserved }
        self.text = text
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.text < right.text
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }

    /// `lo` is the loopback link, `tunl0` the fallback device of `ipip`; the other two are folders that
    /// `/proc/sys/net/ipv4/conf` has beside the links.
    private static func isReserved(_ text: String) -> Bool {
        switch text {
        case "lo", "tunl0", "all", "default": true
        default: false
        }
    }
}

extension InterfaceName: CustomStringConvertible {
    public var description: String { text }
}

import Testing
import Tunnels

@Suite struct AddressTests {
    @Test(arguments: ["0.0.0.0", "1.2.3.4", "10.0.0.1", "192.168.100.200", "255.255.255.255"])
    func anAddressIsPrintedAsItWasRead(_ text: String) throws {
        #expect(try #require(IPv4Address(text)).description == text)
    }

    @Test(arguments: [
        "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "1.2.3.999",
        "01.2.3.4",
        "1.2.3.04", "1.2.3.00", "+1.2.3.4", "-1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4/32", "0x1.2.3.4",
        "a.b.c.d",
        "1,2,3,4", "١.2.3.4", "1.2.3.4\0", "4294967296.1.1.1", "99999999999999999999.1.1.1", "::ffff:1.2.3.4",
    ])
    func whatIsNotDottedDecimalIsNoAddress(_ text: String) {
        #expect(IPv4Address(text) == nil)
    }

    @Test func bitsAreInHostOrder() {
        #expect(IPv4Address(1, 2, 3, 4).bits == 0x0102_0304)
        #expect(IPv4Address(1, 2, 3, 4) < IPv4Address(2, 0, 0, 0))
        #expect(IPv4Address(127, 255, 255, 255) < IPv4Address(128, 0, 0, 0))
    }

    @Test(arguments: [
        ("0.255.255.255", "this"), ("1.0.0.0", ""), ("126.255.255.255", ""), ("127.0.0.0", "loopback"),
        ("127.255.255.255", "loopback"), ("128.0.0.0", ""), ("223.255.255.255", ""),
        ("224.0.0.0", "multicast"),
        ("239.255.255.255", "multicast"), ("240.0.0.0", "reserved"), ("255.255.255.255", "reserved"),
    ])
    func kindsEndWhereTheirNetworksEnd(_ text: String, _ kind: String) throws {
        let address = try #require(IPv4Address(text))
        #expect(address.isThisNetwork == (kind == "this"))
        #expect(address.isLoopback == (kind == "loopback"))
        #expect(address.isMulticast == (kind == "multicast"))
        #expect(address.isReserved == (kind == "reserved"))
    }
}

@Suite struct PrefixTests {
    @Test(arguments: [
        ("10.20.0.0/16", "10.20.0.0/16"), ("0.0.0.0/0", "0.0.0.0/0"), ("10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.3/32", "10.1.2.3/32"), ("128.0.0.0/1", "128.0.0.0/1"), ("10.1.2.2/31", "10.1.2.2/31"),
    ])
    func aPrefixIsRead(_ text: String, _ printed: String) throws {
        #expect(try IPv4Prefix(parsing: text).description == printed)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/ 8",
        "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0/8", "default", "10.0.0.0/٨", "10.0.0.0/100",
    ])
    func whatIsNoPrefixIsRefused(_ text: String) {
        #expect(throws: IPv4Prefix.ParseError.notAPrefix) { try IPv4Prefix(parsing: text) }
    }

    @Test(arguments: [
        ("10.20.3.4/16", "10.20.0.0/16"), ("1.0.0.0/0", "0.0.0.0/0"), ("10.0.0.1/31", "10.0.0.0/31"),
    ])
    func hostBitsAreRefusedWithWhatWasMeant(_ text: String, _ meant: String) throws {
        let meant = try IPv4Prefix(parsing: meant)
        #expect(throws: IPv4Prefix.ParseError.hostBits(meant)) { try IPv4Prefix(parsing: text) }
    }

    @Test(arguments: [
        (0, "0.0.0.0", "255.255.255.255"), (1, "128.0.0.0", "255.255.255.255"),
        (24, "192.168.7.0", "192.168.7.255"),
        (31, "192.168.7.200", "192.168.7.201"), (32, "192.168.7.200", "192.168.7.200"),
    ])
    func aPrefixHoldsItsFirstAndLastAddressAndNoneBeside(_ length: Int, _ first: String, _ last: String)
        throws
    {
        let prefix = IPv4Prefix(containing: IPv4Address(192, 168, 7, 200), length: length)
        let (first, last) = (try #require(IPv4Address(first)), try #require(IPv4Address(last)))
        #expect(prefix.network == first)
        #expect(prefix.broadcast == last)
        #expect(prefix.contains(first) && prefix.contains(last))
        if first.bits > 0 { #expect(!prefix.contains(IPv4Address(bits: first.bits - 1))) }
        if last.bits < .max { #expect(!prefix.contains(IPv4Address(bits: last.bits + 1))) }
    }

    @Test func aLengthOutOfRangeIsBroughtIntoIt() {
        #expect(IPv4Prefix(containing: IPv4Address(1, 2, 3, 4), length: 40).length == 32)
        #expect(IPv4Prefix(containing: IPv4Address(1, 2, 3, 4), length: -1).description == "0.0.0.0/0")
    }
}

@Suite struct InterfaceAddressTests {
    @Test(arguments: [
        "192.168.1.1/24", "10.0.0.1/32", "10.0.0.1/0", "192.168.1.1 peer 192.168.1.254/32",
        "10.0.0.1 peer 10.9.0.0/16",
    ])
    func anAddressIsPrintedAsItWasRead(_ text: String) throws {
        #expect(try address(text).description == text)
    }

    @Test(arguments: [
        "", "192.168.1.1", "192.168.1.1/33", "192.168.1.1/", "192.168.1.1/024", "192.168.1.1 /24",
        "10.0.0.1 peer 10.0.0.2", "10.0.0.1/32 peer 10.0.0.2/32", "10.0.0.1 peer 10.0.0.1/32",
        "10.0.0.1 PEER 10.0.0.2/32", "10.0.0.1  peer 10.0.0.2/32", "10.0.0.1 peer 10.0.0.2/32 ",
        "10.0.0.1 peer /32",
        "peer 10.0.0.2/32",
    ])
    func whatIsNoAddressIsRefused(_ text: String) {
        #expect(InterfaceAddress(text) == nil)
    }

    @Test func theFarEndsPrefixIsRouted() throws {
        #expect(try address("192.168.1.1/24").onLinkPrefix.description == "192.168.1.0/24")
        #expect(try address("192.168.1.1 peer 10.9.8.7/16").onLinkPrefix.description == "10.9.0.0/16")
    }

    @Test func itsOwnPeerIsNone() {
        let address = IPv4Address(10, 0, 0, 1)
        let own = InterfaceAddress(local: address, peer: address, prefixLength: 24)
        #expect(own == InterfaceAddress(local: address, prefixLength: 24))
        #expect(InterfaceAddress(local: address, prefixLength: 99).prefixLength == 32)
        #expect(InterfaceAddress(local: address, prefixLength: -9).prefixLength == 0)
    }
}

/// Traffic control, as `tc` asked and a kernel answered (6.18), on link number 42.
extension Captured {
    /// `RTM_NEWQDISC` and `RTM_DELQDISC` of a `clsact`, as asked for.
    static let clsactRequest = bytes("000000002a0000000000fffff1ffffff000000000b000100636c736163740000")

    /// `RTM_NEWQDISC` of a `clsact`, as it is told.
    static let clsact = bytes(
        """
        000000002a0000000000fffff1ffffff010000000b000100636c7361637400000400020005000c000000000030000700
        14000100000000000000000000000000000000001800030000000000000000000000000000000000000000002c000300
        00000000000000000000000000000000000000000000000000000000000000000000000000000000
        """)

    /// `RTM_NEWTFILTER` of a program with descriptor 9 on ingress, as asked for.
    static let filterRequest = bytes(
        """
        000000002a00000001000000f2ffffff000300c008000100627066002c00020008000600090000001500070074726961
        6c2e6270662e6f3a5b74635d000000000800080001000000
        """)

    /// `RTM_GETTFILTER` and `RTM_DELTFILTER` of the same.
    static let filterPlace = bytes("000000002a00000001000000f2ffffff000300c00800010062706600")

    /// `RTM_NEWTFILTER` of the same, as it is told.
    static let filter = bytes(
        """
        000000002a00000001000000f2ffffff000300c0080001006270660008000b0000000000400002001500070074726961
        6c2e6270662e6f3a5b74635d0000000008000b006c0000000c000a00e64293bcc7f04828080008000100000008000900
        08000000
        """)

    /// What a dump tells before the filters of a priority.
    static let filterPriority = bytes("000000002a00000000000000f2ffffff000300c0080001006270660008000b0000000000")
}

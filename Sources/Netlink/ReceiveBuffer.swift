internal import CMnl

/// Room for the datagrams of one system call, each in a slot of its own, and those that it brought.
struct ReceiveBuffer {
    /// How many datagrams there can be.
    static let slots = Int(CMNL_SLOTS)
    /// A dump is answered in datagrams of up to 32 KiB, if the reader has room for them (`netlink_dump`).
    static let dumpSlot = 32 << 10

    private let slot: Int
    private var bytes: [UInt8]
    /// How long each datagram was, which may be longer than its slot.
    private var lengths = [UInt32](repeating: 0, count: Self.slots)
    /// How many came last.
    private(set) var count = 0
    /// Whether the whole is one slot: for what doesn't fit into a common one, as a link with very many names.
    var isOneSlot = false

    init(slot: Int = Self.dumpSlot) {
        self.slot = slot
        // Left as it is, what never gets filled takes no memory: most answers are short.
        unsafe bytes = Array(unsafeUninitializedCapacity: slot * Self.slots) { $1 = slot * Self.slots }
    }

    private var currentSlot: Int { isOneSlot ? bytes.count : slot }

    /// - Parameter receive: fills slots and lengths, and returns how many.
    mutating func fill(
        _ receive: (
            _ start: UnsafeMutableRawPointer?, _ slot: Int, _ slots: Int, _ lengths: UnsafeMutablePointer<UInt32>?
        ) throws(SystemCallError) -> Int
    ) throws(SystemCallError) {
        let (slot, slots) = (currentSlot, isOneSlot ? 1 : Self.slots)
        count = 0
        let result: Result<Int, SystemCallError> = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe lengths.withUnsafeMutableBufferPointer { lengths in
                Result { () throws(SystemCallError) in
                    try unsafe receive(bytes.baseAddress, slot, slots, lengths.baseAddress)
                }
            }
        }
        count = try result.get()
    }

    /// Shows each datagram; of one that was cut, what there is.
    @inline(__always)
    func forEachDatagram<Failure>(
        _ body: (_ datagram: RawSpan, _ isWhole: Bool) throws(Failure) -> Void
    ) throws(Failure) {
        let slot = currentSlot
        for position in 0..<count {
            let (start, length) = (position * slot, Int(lengths[position]))
            try body(unsafe bytes.span.bytes.extracting(start..<start + min(length, slot)), length <= slot)
        }
    }
}

internal import CMnl

/// Room for the datagrams of one system call, each in a slot of its own, and those that it brought.
struct ReceiveBuffer {
    /// How many datagrams there can be at most.
    static let mostSlots = Int(CMNL_SLOTS)

    private var bytes: [UInt8]
    /// Into how many slots it is divided.
    private var slots = Self.mostSlots
    /// How long each datagram was, which may be longer than its slot.
    private var lengths = [UInt32](repeating: 0, count: Self.mostSlots)
    /// How many came last.
    private(set) var count = 0

    init(size: Int) {
        // Left as it is, what never gets filled takes no memory: most answers are short.
        unsafe bytes = Array(unsafeUninitializedCapacity: size) { $1 = size }
    }

    var size: Int { bytes.count }
    private var slot: Int { size / slots }

    /// - Parameters:
    ///   - slots: how many there are to be, of the same size.
    ///   - receive: fills slots and lengths, and returns how many.
    mutating func fill(
        slots: Int,
        _ receive: (
            _ start: UnsafeMutableRawPointer?, _ slot: Int, _ slots: Int, _ lengths: UnsafeMutablePointer<UInt32>?
        ) throws(SystemCallError) -> Int
    ) throws(SystemCallError) {
        self.slots = slots
        let slot = slot
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
        let slot = slot
        for position in 0..<count {
            let (start, length) = (position * slot, Int(lengths[position]))
            try body(unsafe bytes.span.bytes.extracting(start..<start + min(length, slot)), length <= slot)
        }
    }
}

public import Tunnels

/// What the process takes of the host, for the metrics that every exporter has.
public struct ProcessFigures: Hashable, Sendable {
    public var startedAt: Timestamp
    /// In user mode and in the kernel.
    public var cpuSeconds: Double
    public var residentBytes: Int
    public var virtualBytes: Int
    public var openFiles: Int
    /// How many may be open.
    public var maximumFiles: Int

    public init(
        startedAt: Timestamp, cpuSeconds: Double, residentBytes: Int, virtualBytes: Int, openFiles: Int,
        maximumFiles: Int
    ) {
        self.startedAt = startedAt
        self.cpuSeconds = cpuSeconds
        self.residentBytes = residentBytes
        self.virtualBytes = virtualBytes
        self.openFiles = openFiles
        self.maximumFiles = maximumFiles
    }
}

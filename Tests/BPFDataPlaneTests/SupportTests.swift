import CBPF
import CMnl
import Glibc
import Netlink
import Testing

@testable import BPFDataPlane

@Suite struct SupportTests {
    let trial: Trial

    init() throws { trial = try Trial() }

    /// On a thread of its own, after what is done to it.
    func obstacle(_ image: [UInt8] = Trial.image, after change: () throws -> Void = {}) throws -> BPFObstacle? {
        try trial.namespace.run {
            try change()
            return BPFSupport.obstacle(loading: image, name: "trial", index: 1_000_000)
        }
    }

    @Test func whereAllIsThere() throws {
        #expect(try obstacle() == nil)
        // Nothing is left of it, and it can be done again.
        #expect(try trial.socket.links(kind: "tun").isEmpty)
        #expect(try obstacle() == nil)
    }

    @Test func withoutACapability() throws {
        #expect(try obstacle { try drop([.bpf, .sysAdmin]) } == .capability(.bpf))
        #expect(try obstacle { try drop([.netAdmin]) } == .capability(.netAdmin))
        #expect(try obstacle { try drop([.sysAdmin]) } == .capability(.sysAdmin))
        #expect(try obstacle { try drop([.bpf]) } == nil)
    }

    @Test func aHelperThatTheKernelHasNot() throws {
        let obstacle = try obstacle(Trial.rejected)
        guard case .noHelper(let words) = obstacle else {
            Issue.record("\(String(describing: obstacle))")
            return
        }
        #expect(words.contains("60000"))
    }

    @Test func noTunDevice() throws {
        #expect(try obstacle { try hideDevices() } == .noTun(.noNode))
        #expect(TunError(opening: ENODEV) == .noDriver)
        #expect(TunError(opening: EACCES) == .notPermitted("open /dev/net/tun"))
    }

    @Test func aDeviceThatIsThereIsNotTouched() throws {
        try trial.tun("trial", 7)
        #expect(try obstacle() == .noTun(.taken))
        #expect(try trial.socket.links(kind: "tun").map(\.index) == [7])
    }

    // What can't be brought about here: what its errors mean.

    let root = Privilege(capabilities: .max, isInitialUserNamespace: true)
    let rootless = Privilege(capabilities: .max, isInitialUserNamespace: false)

    func error(_ errno: Int32, _ log: String = "") -> BPFError {
        BPFError(operation: "load object x", errno: errno, log: log)
    }

    @Test func refusals() {
        #expect(BPFObstacle(loading: error(ENOSYS), by: root) == .noBPF)
        #expect(BPFObstacle(loading: error(EPERM), by: rootless) == .userNamespace)
        #expect(BPFObstacle(finding: error(EPERM), by: rootless) == .userNamespace)
        let none = Privilege(capabilities: 0, isInitialUserNamespace: true)
        #expect(BPFObstacle(loading: error(EPERM), by: none) == .capability(.bpf))
        let denied = BPFObstacle(loading: error(EPERM), by: root)
        guard case .denied(let what) = denied else {
            Issue.record("\(denied)")
            return
        }
        #expect(what.hasPrefix("not permitted: load object x"))
        let verifier = BPFObstacle(loading: error(EACCES, "invalid access to packet"), by: root)
        #expect(verifier.description.contains("invalid access to packet"))
        guard case .refused = verifier else {
            Issue.record("\(verifier)")
            return
        }
    }

    @Test func kernelsWithoutAPart() {
        func attaching(_ code: NetlinkError.Code) -> BPFObstacle {
            BPFObstacle(attaching: NetlinkError(operation: "add", code: code), by: root) { _ in .noClsact }
        }
        #expect(attaching(.noSuchEntry) == .noClsact)
        #expect(attaching(.notSupported) == .noClsact)
        #expect(attaching(.busy) == .other("add: EBUSY (Device or resource busy)"))
    }

    @Test func thisIsRoot() {
        #expect(Privilege.current().missing == nil)
        #expect(Privilege.current().isInitialUserNamespace)
    }
}

/// Takes capabilities from this thread.
private func drop(_ capabilities: [Capability]) throws {
    var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
    var data = [__user_cap_data_struct](repeating: .init(), count: 2)
    try #require(capget(&header, &data) == 0)
    for capability in capabilities {
        data[Int(capability.rawValue) / 32].effective &= ~(1 << (UInt32(capability.rawValue) % 32))
    }
    try #require(capset(&header, &data) == 0)
}

/// Lays an empty folder over /dev/net, for this thread alone.
private func hideDevices() throws {
    try #require(unshare(CLONE_NEWNS) == 0)
    try #require(mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0)
    try #require(mount("none", "/dev/net", "tmpfs", 0, nil) == 0)
}

internal import CBPF
internal import Netlink

/// Whether this host can carry packets with programs, found out by doing it: with the programs themselves, on a TUN
/// device that goes when the trial ends, however it ends.
public enum BPFSupport {
    /// The first thing that stands in the way; nil when nothing does. In the network namespace of the thread that calls.
    ///
    /// - Parameters:
    ///   - image: the object file that shall be loaded.
    ///   - name: what the trial's device is called.
    ///   - index: the trial's ifindex, free like its name.
    public static func obstacle(loading image: [UInt8], name: String, index: UInt32) -> BPFObstacle? {
        do throws(BPFObstacle) {
            let object = try load(image)
            let device = try makeDevice(name, index)
            for program in object.programs { try run(program, on: index) }
            withExtendedLifetime(device) {}
            return nil
        } catch {
            return error
        }
    }

    private static func load(_ image: [UInt8]) throws(BPFObstacle) -> ProgramObject {
        let object: ProgramObject
        do throws(BPFError) {
            object = try ProgramObject(loading: image, name: "trial")
        } catch {
            throw BPFObstacle(loading: error, by: .current())
        }
        // A daemon that starts anew finds what the one before left by its numbers.
        do throws(BPFError) {
            for program in object.programs { _ = try LoadedProgram(id: program.id).maps() }
        } catch {
            throw BPFObstacle(finding: error, by: .current())
        }
        return object
    }

    private static func makeDevice(_ name: String, _ index: UInt32) throws(BPFObstacle) -> Descriptor {
        do throws(TunError) {
            return try TunDevice.open(name: name, index: index)
        } catch {
            if case .notPermitted = error, !Privilege.current().has(.netAdmin) { throw .capability(.netAdmin) }
            throw .noTun(error)
        }
    }

    private static func run(_ program: LoadedProgram, on index: UInt32) throws(BPFObstacle) {
        let place = FilterPlace(interface: index, parent: .egress, priority: 1, handle: 1)
        let outcomes: [NetlinkSocket.Outcome]
        do throws(NetlinkError) {
            outcomes = try NetlinkSocket().execute([
                .addClsact(to: index), .addFilter(place, program: program.fileDescriptor, name: program.name),
                .readFilter(place), .deleteClsact(of: index),
            ])
        } catch {
            throw BPFObstacle(attaching: error, by: .current()) { .other($0) }
        }
        do throws(NetlinkError) {
            _ = try outcomes[0].get()
        } catch {
            throw BPFObstacle(attaching: error, by: .current()) { _ in .noClsact }
        }
        do throws(NetlinkError) {
            _ = try outcomes[1].get()
            guard try outcomes[2].get().first?.filter?.programID == program.id else { throw Self.noNumber }
        } catch {
            throw BPFObstacle(attaching: error, by: .current()) { _ in .noClassifier }
        }
    }

    private static let noNumber = NetlinkError(
        operation: "read a filter", code: .badMessage, reason: "it doesn't tell its program's number")
}

/// Why a host can't carry packets with programs.
public enum BPFObstacle: Error, Hashable, Sendable {
    /// The process lacks it.
    case capability(Capability)
    /// The process is root of a user namespace of its own only, as in a rootless container.
    case userNamespace
    /// It has the capabilities, and is refused all the same: by a seccomp filter, an LSM or the kernel's lockdown. What
    /// was refused, and the lockdown's mode.
    case denied(String)
    /// A kernel without `CONFIG_BPF_SYSCALL`.
    case noBPF
    /// A kernel too old for a helper that the programs call; what the verifier says.
    case noHelper(String)
    /// The verifier, or libbpf, refuses the programs for another reason.
    case refused(String)
    /// A kernel without `CONFIG_NET_SCH_INGRESS` (module `sch_ingress`).
    case noClsact
    /// A kernel without `CONFIG_NET_CLS_BPF` (module `cls_bpf`).
    case noClassifier
    case noTun(TunError)
    /// Something else, in words.
    case other(String)
}

extension BPFObstacle: CustomStringConvertible {
    public var description: String {
        switch self {
        case .capability(let capability): "\(capability) is missing"
        case .userNamespace: "eBPF takes privileges of the host, and this is root of a user namespace only"
        case .denied(let what): "\(what), though the capabilities are there: a seccomp filter, an LSM or lockdown"
        case .noBPF: "this kernel has no BPF system call (CONFIG_BPF_SYSCALL)"
        case .noHelper(let log): "this kernel is too old for the programs: \(log)"
        case .refused(let words): "this kernel refuses the programs: \(words)"
        case .noClsact: "this kernel has no clsact (CONFIG_NET_SCH_INGRESS, module sch_ingress)"
        case .noClassifier: "this kernel has no bpf classifier (CONFIG_NET_CLS_BPF, module cls_bpf)"
        case .noTun(let error): error.description
        case .other(let words): words
        }
    }
}

// What an error means, given what the process may do.
extension BPFObstacle {
    init(loading error: BPFError, by privilege: Privilege) {
        switch error.code {
        case .permissionDenied: self.init(denied: error.operation, by: privilege)
        case NetlinkError.Code(rawValue: ENOSYS): self = .noBPF
        case _ where error.log.contains("unknown func") || error.log.contains("invalid func"):
            self = .noHelper(error.log)
        default: self = .refused(error.description)
        }
    }

    init(finding error: BPFError, by privilege: Privilege) {
        switch error.code {
        case .permissionDenied: self.init(denied: error.operation, by: privilege)
        default: self = .other(error.description)
        }
    }

    /// - Parameter missing: what it is when the kernel knows no such qdisc, classifier or message at all.
    init(attaching error: NetlinkError, by privilege: Privilege, missing: (String) -> BPFObstacle) {
        switch error.code {
        case .permissionDenied: self.init(denied: error.operation, by: privilege)
        case .noSuchEntry, .notSupported: self = missing(error.description)
        default: self = .other(error.description)
        }
    }

    private init(denied what: String, by privilege: Privilege) {
        if !privilege.isInitialUserNamespace {
            self = .userNamespace
        } else if let missing = privilege.missing {
            self = .capability(missing)
        } else {
            // "none [integrity] confidentiality"
            let lockdown = readFile("/sys/kernel/security/lockdown")?.split { "[]".contains($0) }.dropFirst().first
            self = .denied("not permitted: \(what)" + (lockdown.map { " (lockdown: \($0))" } ?? ""))
        }
    }
}

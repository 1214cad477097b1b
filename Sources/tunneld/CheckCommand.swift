internal import ArgumentParser
internal import BPFDataPlane
internal import KernelDataPlane
internal import Tunnels

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Say what this host can do and what it lacks; fails if tunnels can't work.")

    func run() throws {
        var report = HostFiles().report()
        if report.state(of: "ipip") == .missing {
            report.standIn = BPFDataPlane.obstacle().map { .nothing(obstacle: $0) } ?? .bpf
        }
        print("kernel      \(report.kernelRelease)")
        for module in report.modules {
            print("\(module.name.padded(to: 11)) \(module.state.rawValue.replacing("_", with: " "))")
        }
        print("forwarding  \(report.forwardsIPv4.map { $0 ? "on" : "off" } ?? "unknown")")
        print("network     \(report.canAdministerNetwork ? "may be administered" : "may not be administered")")
        switch report.standIn {
        case nil: print("data plane  kernel")
        case .bpf: print("data plane  bpf")
        case .nothing: print("data plane  none")
        }
        for shortcoming in report.shortcomings { print("! \(shortcoming)") }
        if !report.shortcomings.isEmpty { throw ExitCode.failure }
        print("ready")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}

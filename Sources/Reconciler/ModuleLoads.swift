internal import Logging
internal import Synchronization
public import Tunnels

/// The kernel modules that were loaded for our tunnels since the start, and when.
public final class ModuleLoads: Sendable {
    private let loads = Mutex<[String: Timestamp]>([:])

    public var all: [String: Timestamp] {
        loads.withLock { $0 }
    }

    func note(_ module: String, at time: Timestamp) {
        loads.withLock { $0[module] = time }
    }
}

extension Reconciler {
    /// Records what the last plans made the kernel load.
    func noteLoadedModules() {
        for module in plane.newlyLoadedModules() {
            moduleLoads.note(module, at: timing.now())
            logger.notice("module loaded", metadata: ["module": "\(module)"])
        }
    }
}

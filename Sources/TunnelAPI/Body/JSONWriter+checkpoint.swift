internal import Reconciler
internal import TunnelStore
internal import Tunnels

extension JSONWriter {
    mutating func checkpoint(_ checkpoint: Checkpoint) {
        object { $0.members(of: checkpoint) }
    }

    mutating func members(of checkpoint: Checkpoint) {
        let end = checkpoint.end
        member("id", checkpoint.id.text)
        member("state", end?.outcome.rawValue ?? "pending")
        member("created_at", checkpoint.createdAt.description)
        member("deadline", checkpoint.deadline.description)
        member("actor", checkpoint.actor)
        member("tunnels", checkpoint.tunnels)
        key("confirm_when")
        if let probe = checkpoint.probe {
            object {
                $0.member("answers", probe.address.description)
                $0.member("through", probe.tunnel.text)
            }
        } else {
            null()
        }
        member("ended_at", end?.at.description)
        member("ended_by", end.map { $0.actor ?? $0.outcome.ownReason })
        array("failures", end?.failures ?? []) { writer, failure in
            writer.object {
                $0.member("tunnel", failure.tunnel.text)
                $0.object("problem") { $0.members(of: failure.problem) }
            }
        }
    }
}

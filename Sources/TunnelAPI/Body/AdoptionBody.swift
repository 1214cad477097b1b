internal import Reconciler
internal import Tunnels

/// What a link can't tell of the tunnel that it becomes.
enum AdoptionBody {
    private static let fields = ["drift_policy", "labels", "comment"]

    static func read(_ value: JSONValue, into wish: inout Write.Adopting) throws(BodyRefusal) {
        var object = ObjectReader(try TunnelBody.members(of: value))
        object.read("drift_policy", into: &wish.driftPolicy, Field.driftPolicy)
        object.read("comment", into: &wish.comment, Field.text)
        wish.labels = TunnelBody.labels(&object)
        object.refuseUnknown(known: fields)
        try object.finish()
    }
}

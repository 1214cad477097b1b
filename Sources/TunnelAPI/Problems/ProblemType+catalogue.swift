extension ProblemType {
    /// The same for every occurrence.
    public var title: String { entry.title }
    /// The HTTP status that answers have as a rule.
    public var status: Int { entry.status }
    /// For people: how it comes about and what to do.
    public var explanation: String { entry.explanation }

    private typealias Entry = (status: Int, title: String, explanation: String)

    private var entry: Entry { requestEntry ?? resumptionEntry ?? takenEntry ?? checkpointEntry ?? hostEntry }

    private var requestEntry: Entry? {
        switch self {
        case .badRequest:
            (400, "The request isn't well formed", "The detail says which rule of HTTP it breaks.")
        case .invalidJSON:
            (
                400, "The body isn't JSON",
                "Bodies are JSON (RFC 8259) in UTF-8. The detail gives the place, counted in bytes. One name may "
                    + "not occur twice in an object, and nothing may follow the value."
            )
        case .invalidYAML:
            (
                400, "The body isn't YAML as it is taken here",
                "The detail gives the place. One document of YAML 1.2 in UTF-8 is taken, whose scalars are read by "
                    + "the core schema; anchors, aliases, tags, merge keys and a key twice aren't."
            )
        case .invalidShape:
            (
                400, "The body hasn't the right shape",
                "A member is missing, unknown, or of another JSON type. `errors` lists each with a JSON pointer; "
                    + "/openapi.yaml has the schema."
            )
        case .invalidValue:
            (
                422, "The body holds a value that can't be",
                "The shape is right, but no host could have such a tunnel. `errors` lists each value with a JSON "
                    + "pointer and says what to give instead."
            )
        case .invalidParameter:
            (
                400, "A parameter can't be understood",
                "A query parameter or header has a value that isn't allowed, or the path has no such query "
                    + "parameter. The detail names it."
            )
        case .unauthenticated:
            (
                401, "A token is needed",
                "Over TCP each request needs `Authorization: Bearer <token>`. `tunneld token create` makes one. "
                    + "Revoked and unknown tokens are answered alike."
            )
        case .forbidden:
            (
                403, "The token doesn't permit this",
                "Reading needs scope read, changing tunnels scope write. Over the unix socket, root and members of "
                    + "the group tunneld may do everything, others nothing."
            )
        case .notFound: (404, "There is nothing at this path", "/openapi.yaml lists the paths.")
        case .tunnelNotFound:
            (
                404, "There is no such tunnel",
                "Tunnels are found by name or by id. GET /v1/tunnels lists them."
            )
        case .linkNotFound:
            (
                404, "There is no such link",
                "Only a link of kind ipip can be adopted, by its name in this network namespace. "
                    + "GET /v1/links?managed=false lists those that aren't tunnels."
            )
        case .methodNotAllowed:
            (405, "The path doesn't answer this method", "The Allow header lists those that it answers.")
        case .requestTimeout: (408, "The request took too long to arrive", "Send it again, at once.")
        case .lengthRequired: (411, "The body's length isn't given", "Send Content-Length.")
        case .preconditionFailed:
            (
                412, "It isn't as expected",
                "If-Match, If-None-Match or the body's `revision` didn't hold: somebody else has changed, made or "
                    + "deleted the tunnel, or a tunnel of the set. Read it again, look at what is new, and repeat the "
                    + "change. `current_revision` says where it is now."
            )
        case .requestTooLarge:
            (413, "The request is too large", "The detail gives the limit of its body, target or headers.")
        case .unsupportedMediaType:
            (415, "The body's type isn't taken", "The Accept header lists the types for Content-Type.")
        case .expectationFailed: (417, "The expectation can't be met", "Send no Expect but 100-continue.")
        case .versionNotSupported: (505, "This version of HTTP isn't spoken", "Use HTTP/1.1.")
        default: nil
        }
    }

    private var resumptionEntry: Entry? {
        switch self {
        case .eventsGone:
            (
                410, "The events that follow aren't kept any more",
                "Only the newest events are kept, and what was asked for has been removed, or the database was put "
                    + "back from a backup. Read the tunnels as they are now, then go on with new events: without "
                    + "`after` and Last-Event-ID. `after=0` gives all that are kept; `oldest_event` is the first of them."
            )
        case .idempotencyKeyReused:
            (
                422, "The Idempotency-Key was used for another request",
                "A key stands for one request: the same method, path, query and body. Choose a new one for each "
                    + "request that isn't a retry."
            )
        case .idempotencyKeyInUse:
            (
                409, "The first request with this Idempotency-Key is still being carried out",
                "Try again after Retry-After: its answer will be given again then."
            )
        default: nil
        }
    }

    private var takenEntry: Entry? {
        switch self {
        case .nameTaken:
            (
                409, "The name is taken",
                "Another tunnel, or a link that tunneld didn't make, has this name. The detail says which. Choose "
                    + "another name, or remove what has it; tunneld touches no link that isn't its own."
            )
        case .endpointsTaken:
            (
                409, "The endpoints are taken",
                "The kernel has one tunnel link for each local, remote and underlay together. The detail names "
                    + "the one that has them; change that one, or choose other endpoints or an underlay."
            )
        case .addressTaken:
            (
                409, "The address is taken",
                "Another tunnel has this address with the same far end. The detail names it. Take it away there "
                    + "first, or choose another."
            )
        case .routeTaken:
            (
                409, "The route is taken",
                "A route to the same network with the same metric exists that tunneld didn't make. Choose another "
                    + "metric, or remove it."
            )
        case .notAdoptable:
            (
                409, "The link can't be adopted as it is",
                "It is set to something that no tunnel's definition has words for, or has what another tunnel has. "
                    + "`obstacles` lists all of it, as GET /v1/links?managed=false does. Nothing was changed."
            )
        case .unmanageUnsupported:
            (
                409, "The link can't do without tunneld",
                "With the data plane bpf, tunneld's programs carry a tunnel's packets; a TUN device alone carries none. "
                    + "Only links of the kernel's ipip can be let go."
            )
        case .tooManyTunnels:
            (
                409, "There are as many tunnels as this host holds",
                "The detail gives the limit. Delete some first."
            )
        case .outOfScope:
            (
                409, "A tunnel isn't in the scope",
                "The set lists a tunnel that is there and doesn't bear the scope's label, so it may not be touched. "
                    + "Choose another name, give that tunnel the label first, or apply without a scope."
            )
        default: nil
        }
    }

    private var checkpointEntry: Entry? {
        switch self {
        case .checkpointNotFound:
            (
                404, "There is no such checkpoint",
                "GET /v1/checkpoints lists the pending one and the latest that have ended."
            )
        case .checkpointPending:
            (
                409, "A change waits to be confirmed",
                "Until it is confirmed or reverted nothing else may change, so that what goes back is known. "
                    + "`checkpoint` is its id, and after `deadline` it goes back by itself. POST "
                    + "/v1/checkpoints/{id}/confirm keeps the change, POST /v1/checkpoints/{id}/revert takes it back."
            )
        case .checkpointEnded:
            (
                409, "The checkpoint has ended",
                "It was confirmed or reverted before; the detail says when and by whom. A change that was confirmed "
                    + "isn't taken back, and one that was reverted has to be made again."
            )
        default: nil
        }
    }

    private var hostEntry: Entry {
        switch self {
        case .underlayMissing:
            (
                422, "The underlay doesn't exist",
                "`underlay` names a link of this host; GET /v1/links lists them."
            )
        case .routeSwallowsRemote:
            (
                422, "A route would swallow the tunnel's own packets",
                "The outer packets to `remote` would be routed into the tunnel, over and over. Give the tunnel "
                    + "narrower routes and addresses, or a route to `remote` that is more specific."
            )
        case .kindUnsupported:
            (
                503, "The kernel can't carry this kind of tunnel",
                "The module ipip is missing or may not be loaded. `tunneld check` says what this host lacks."
            )
        case .permissionMissing:
            (
                503, "tunneld may not change links",
                "It needs CAP_NET_ADMIN. `tunneld check` says what is missing."
            )
        case .kernelRefused:
            (
                422, "The kernel refused",
                "`errno` and `kernel_message` are the kernel's own words. Nothing was changed or stored. The status "
                    + "is 409 where something that exists stands in the way (EEXIST)."
            )
        case .repairSuspended:
            (
                409, "Somebody else keeps changing the tunnel",
                "It was repaired more than ten times within a minute, so it is left alone for a while, in a status "
                    + "alone: no request is answered with this. The detail says what was changed last, and by whom "
                    + "where the kernel tells. Stop what changes it, give the tunnel what that wants, or choose "
                    + "another `drift_policy`. Any write to the tunnel ends the wait."
            )
        case .adoptionRefused:
            (
                409, "Somebody's change can't be taken over",
                "With `drift_policy` adopt the definition follows the link, but some changes no definition can have; "
                    + "in a status alone: no request is answered with this. The detail says what and why. Undo the "
                    + "change, or write to the tunnel: that repairs it."
            )
        case .storageFull:
            (507, "The disk is full", "Nothing was changed. Free space where the database is.")
        case .storageFailed:
            (500, "The database failed", "Nothing was changed. The detail and the log say why.")
        case .overloaded: (503, "Too much is asked at once", "Try again after Retry-After.")
        case .notReady: (503, "tunneld isn't ready yet", "The detail says what it waits for.")
        case .stopping:
            (503, "tunneld is stopping", "Tunnels stay up. Try again when it has started again.")
        default:
            (500, "tunneld failed", "This is a mistake in tunneld. Its log says more; please report it.")
        }
    }
}

internal import HTTPServer
internal import TunnelStore
internal import Tunnels

extension JSONWriter {
    mutating func event(_ stored: StoredEvent) {
        let event = stored.event
        var (token, checkpoint) = (Int64?.none, String?.none)
        object { writer in
            writer.member("id", stored.id)
            writer.member("at", event.at.description)
            writer.member("type", event.kind.rawValue)
            writer.member("actor", event.actor)
            writer.key("tunnel")
            switch event.subject {
            case .tunnel(let id, let name, let revision):
                writer.object {
                    $0.member("id", id.text)
                    $0.member("name", name.text)
                    $0.member("revision", revision)
                }
            case .token(let id):
                writer.null()
                token = id
            case .checkpoint(let id):
                writer.null()
                checkpoint = id
            case .host: writer.null()
            }
            writer.member("token_id", token)
            writer.member("checkpoint_id", checkpoint)
            writer.object("labels") { writer in
                for (key, value) in event.labels.sorted(by: { $0.key < $1.key }) {
                    writer.key(escaping: key)
                    writer.value(value)
                }
            }
            writer.key("detail")
            if let detail = event.detail { writer.value(onOneLine: detail) } else { writer.null() }
        }
    }

    /// A JSON document as it was stored, without line ends: those that it has stand between its tokens.
    private mutating func value(onOneLine document: String) {
        let bytes = document.utf8
        append(capacity: bytes.count) { output in
            for byte in bytes {
                let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
                output.append(isLineEnd ? UInt8(ascii: " ") : byte)
            }
        }
    }
}

public struct Placeholder: Sendable {}

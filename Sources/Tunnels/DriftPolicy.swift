/// What is done when somebody else changes a tunnel's link, its addresses or its routes.
public enum DriftPolicy: String, Sendable, CaseIterable {
    /// Repair it.
    case enforce
    /// Tell, and touch nothing.
    case alert
    /// Take the change into the definition.
    case adopt
}

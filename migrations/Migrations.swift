/// One step of the schema, embedded in the binary.
public struct Migration: Sendable {
    /// What a database remembers of it; never changed once released.
    public let name: String
    public let sql: String

    /// All of them in their order. A released one is never changed: add the next instead.
    public static let all = [
        Migration(name: "m0001_init", sql: text(PackageResources.m0001_init_sql)),
        Migration(name: "m0002_desired_state", sql: text(PackageResources.m0002_desired_state_sql)),
        Migration(name: "m0003_totals", sql: text(PackageResources.m0003_totals_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

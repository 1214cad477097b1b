public enum Migrations { public static let all: [[UInt8]] = [PackageResources.m0001_init_sql] }

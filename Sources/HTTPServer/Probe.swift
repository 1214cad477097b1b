internal import CMicroHTTPD

public func version() -> String { unsafe String(cString: MHD_get_version()) }

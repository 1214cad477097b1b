internal import CMnl

public func probe() -> Bool { unsafe mnl_socket_open(NETLINK_ROUTE) != nil }

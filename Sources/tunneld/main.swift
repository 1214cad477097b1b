internal import Netlink
internal import HTTPServer
internal import TunnelStore


print(version(), probe(), try q())



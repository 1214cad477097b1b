internal import Netlink
internal import HTTPServer
internal import TunnelStore
internal import Reconciler
internal import Dispatch
print(version(), probe(), try q())
let r = Reconciler(); r.go()
dispatchMain()

extension ProgramObject {
    /// The object file of the tunnels' programs (`Programs/tunnel.bpf.c`).
    public static var tunnelImage: [UInt8] { PackageResources.tunnel_bpf_o }
}

namespace Cluster.Operator.NodeAgent;

/// <summary>The host's <c>kernel.numa_balancing</c>: whether the kernel unmaps pages now and then to see which NUMA node uses them, which
/// stalls GPU copies. Used by <see cref="NumaBalancingKeeper"/>.</summary>
/// <remarks>The sysctl has no namespaces: a container's own <c>/proc</c> shows the host's. Writing takes CAP_SYS_ADMIN and a writable
/// <c>/proc/sys</c>, which privileged containers have. Values: 0 off, 1 normal, 2 memory tiering. Source: Linux
/// Documentation/admin-guide/sysctl/kernel.rst.</remarks>
/// <param name="procRoot">Where procfs is mounted: <c>/proc</c>.</param>
internal sealed class NumaBalancingSwitch(string procRoot)
{
    public const string Off = "0";

    private readonly string _path = Path.Combine(procRoot, "sys", "kernel", "numa_balancing");

    /// <returns>Null where the kernel has no such switch: it does not balance then.</returns>
    /// <exception cref="UnauthorizedAccessException">Not allowed.</exception>
    /// <exception cref="IOException">It could not be read.</exception>
    public string? Read() => SysfsFile.Read(_path);

    /// <exception cref="UnauthorizedAccessException">Not allowed.</exception>
    /// <exception cref="IOException">The kernel refuses the value, or kept another one.</exception>
    public void Set(string value)
    {
        SysfsFile.Write(_path, value);
        if (Read() is var now && now != value)
        {
            throw new IOException($"{_path} is '{now}' after '{value}' was written");
        }
    }
}

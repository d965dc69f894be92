namespace Cluster.Operator.Local;

/// <summary>How local mode runs a worker as a process. By default it is the one built with the operator, into a folder beside it.</summary>
/// <param name="Path">Executable.</param>
/// <param name="First">Its first arguments, before those of the pod.</param>
/// <param name="Device">What every worker computes on (<c>--device</c>); null leaves that to pod and worker.</param>
internal sealed record WorkerProgram(string Path, IReadOnlyList<string> First, string? Device = null)
{
    /// <summary>Names the host that starts workers, as <c>--worker-host</c> does.</summary>
    public const string HostVariable = "CLUSTER_WORKER_HOST";

    private const string DeviceFlag = "--device";

    /// <summary>Downloads and computes nothing, and has no such flag.</summary>
    private const string FetchCommand = "fetch";

    private static readonly string Default = System.IO.Path.Combine(
        AppContext.BaseDirectory, "worker", OperatingSystem.IsWindows() ? "cluster-worker.exe" : "cluster-worker");

    /// <param name="path">An executable, or a <c>.dll</c> for the dotnet host; null for the one built with the operator.</param>
    /// <param name="host">A dotnet host to start the worker's <c>.dll</c> with, such as one on another C library; null for the
    /// usual.</param>
    /// <param name="device">As <see cref="Device"/>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static WorkerProgram Resolve(string? path, string? host = null, string? device = null)
    {
        var file = System.IO.Path.GetFullPath(path ?? Default);
        var isLibrary = file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        if (host is not null && !isLibrary)
        {
            file = System.IO.Path.ChangeExtension(file, ".dll");
        }

        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"no worker at {file}: build it (dotnet build worker -c Release) or name one with --worker");
        }

        if (host is not null)
        {
            var program = System.IO.Path.GetFullPath(host);
            return File.Exists(program)
                ? new WorkerProgram(program, ["exec", file], device)
                : throw new FileNotFoundException($"no host at {program}: --worker-host and {HostVariable} name a file like dotnet");
        }

        return isLibrary ? new WorkerProgram("dotnet", [file], device) : new WorkerProgram(file, [], device);
    }

    /// <summary>The whole command line of a container. What the pod says of the device goes before.</summary>
    public IReadOnlyList<string> Arguments(IReadOnlyList<string> ofPod) =>
        Device is null || ofPod is [FetchCommand, ..] || ofPod.Any(argument => argument.Split('=')[0] == DeviceFlag)
            ? [.. First, .. ofPod]
            : [.. First, .. ofPod, DeviceFlag, Device];
}

using System.Runtime.InteropServices;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Parallel;

/// <summary>The environment that leaves a rank one of its replica's devices. <see cref="RankProcess"/> gives it to a process that it
/// starts; rank 0, which runs already, takes its own.</summary>
internal static partial class RankDevice
{
    /// <summary>Variables that count the devices <see cref="VisibleDevices.Variable"/> leaves over (HIP programming guide, GPU isolation).
    /// Of one device there is only the first.</summary>
    private static readonly string[] Relative = ["HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"];

    /// <summary>What a rank's environment must have.</summary>
    /// <param name="device">As <see cref="VisibleDevices.Parse"/> gives it.</param>
    /// <param name="isSet">Whether the environment has a variable. What was meant for all ranks' devices together would hide the only one;
    /// what is not there stays so.</param>
    public static IEnumerable<KeyValuePair<string, string>> Variables(string device, Func<string, bool> isSet) =>
        [new(VisibleDevices.Variable, device), .. Relative.Where(isSet).Select(name => new KeyValuePair<string, string>(name, "0"))];

    /// <summary>Narrows the environment of this process as native libraries see it; what .NET knows of it stays what the replica was given.
    /// Before the first GPU library is loaded: they read it once.</summary>
    /// <remarks><see cref="Environment.SetEnvironmentVariable(string, string)"/> changes a copy that getenv(3) knows nothing of. Other
    /// threads may call getenv meanwhile: only variables that are there are changed, and for those the C libraries exchange one pointer in
    /// place and free nothing.</remarks>
    /// <exception cref="IOException">The C library has refused.</exception>
    public static void Take(string device)
    {
        // .NET copies the environment when it is first enumerated, and reads through to the C library's before that.
        var inherited = Environment.GetEnvironmentVariables();
        foreach (var (name, value) in Variables(device, inherited.Contains))
        {
            if (SetVariable(name, value, overwrite: 1) != 0)
            {
                throw new IOException($"cannot set {name}={value}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}

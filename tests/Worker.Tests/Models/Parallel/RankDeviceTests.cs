using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Tests.Models.Parallel;

public partial class RankDeviceTests
{
    [Fact]
    public void Native_code_of_a_process_that_runs_sees_the_one_device_and_NET_what_the_replica_was_given()
    {
        var given = Environment.GetEnvironmentVariable(VisibleDevices.Variable);

        RankDevice.Take("GPU-0123456789abcdef");

        Assert.Equal(0, Shell($"test \"${VisibleDevices.Variable}\" = GPU-0123456789abcdef"));
        Assert.Equal(given, Environment.GetEnvironmentVariable(VisibleDevices.Variable));
    }

    [Fact]
    public void Variables_that_count_what_is_left_over_name_the_first_where_they_are_set()
    {
        var variables = RankDevice.Variables("6", name => name is "HIP_VISIBLE_DEVICES" or "GPU_DEVICE_ORDINAL");

        Assert.Equal(
            [new("ROCR_VISIBLE_DEVICES", "6"), new("HIP_VISIBLE_DEVICES", "0"),
                new KeyValuePair<string, string>("GPU_DEVICE_ORDINAL", "0")], variables);
    }

    /// <summary>system(3): a shell with the environment that the C library knows.</summary>
    [LibraryImport("libc", EntryPoint = "system", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Shell(string command);
}

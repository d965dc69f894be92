using System.Text.Json.Nodes;
using Cluster.Worker.Commands;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Commands;

public sealed class DevicesCommandTests
{
    private static readonly SeenDevice[] Devices =
    [
        new(0, "opencl", "opencl GPU", "AMD Instinct MI300X", 192L << 30, "gfx942", "OpenCL 2.0")
        {
            Uuid = "GPU-0123456789abcdef",
            IsAuto = true
        },
        new(1, "cpu", "cpu", "EPYC", 3L << 29, null, ".NET 10"),
    ];

    [Fact]
    public void A_script_reads_aligned_lines() => Assert.Equal(
        """
        INDEX  KIND        NAME                 UUID                  MEMORY     ARCHITECTURE  DRIVER      AUTO
        0      opencl GPU  AMD Instinct MI300X  GPU-0123456789abcdef  192.0 GiB  gfx942        OpenCL 2.0  yes
        1      cpu         EPYC                 -                     1.5 GiB    -             .NET 10     -

        """,
        DevicesCommand.Table(Devices).ToString(), ignoreLineEndingDifferences: true);

    [Fact]
    public void A_program_reads_JSON()
    {
        var expected = JsonNode.Parse(
            """
            {
              "index": 0, "device": "opencl", "kind": "opencl GPU", "name": "AMD Instinct MI300X", "uuid": "GPU-0123456789abcdef",
              "memoryBytes": 206158430208, "architecture": "gfx942", "driver": "OpenCL 2.0", "auto": true
            }
            """);

        Assert.Equal(expected!.ToJsonString(), DevicesCommand.ToJson(Devices[0]).ToJsonString());
        Assert.Equal(["uuid", "architecture"], DevicesCommand.ToJson(Devices[1]).AsObject().Where(field => field.Value is null)
            .Select(field => field.Key));
    }
}

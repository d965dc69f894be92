using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

namespace Cluster.Worker.Startup;

/// <summary>What <c>--device</c> can mean on this machine, for <c>devices</c> and <c>collect-env</c>. What it does mean is decided by
/// <see cref="BackendFactory"/>.</summary>
internal static class SeenDevices
{
    private const string ProcessorFile = "/proc/cpuinfo";

    /// <summary>The processor as it calls itself.</summary>
    public static string ProcessorName
    {
        get
        {
            var lines = File.Exists(ProcessorFile) ? File.ReadLines(ProcessorFile) : [];
            var named = lines.FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal));
            return named?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
        }
    }

    /// <summary>What drivers show, in the order in which <c>auto</c> asks them, then what is always there.</summary>
    /// <param name="failures">What drivers say that fail, and what those lack that show nothing.</param>
    public static IReadOnlyList<SeenDevice> Find(out IReadOnlyList<string> failures)
    {
        var (seen, said) = (new List<DeviceDescription>(), new List<string>());
        foreach (var name in DeviceNames.Gpus)
        {
            try
            {
                var found = GpuChoice.Find(name);
                seen.AddRange(found.Select(device => device.Description));
                if (found.Count == 0 && GpuChoice.Blind(name) is { } lack)
                {
                    said.Add($"{name}: {lack}");
                }
            }
            catch (Exception exception) when (exception is InvalidOperationException or NotSupportedException)
            {
                said.Add($"{name}: {exception.Message}");
            }
        }

        failures = said;
        return Of(seen, new CpuOptions());
    }

    /// <param name="drivers">Of each driver GPUs first.</param>
    public static IReadOnlyList<SeenDevice> Of(IReadOnlyList<DeviceDescription> drivers, CpuOptions cpu)
    {
        var auto = drivers.Index().FirstOrDefault(device => device.Item.IsGpu, (Index: -1, Item: null!)).Index;
        List<SeenDevice> devices = [.. drivers.Select((device, index) => new SeenDevice(
            index, device.Kind, $"{device.Kind} {(device.IsGpu ? "GPU" : "CPU")}", device.Name, device.MemoryBytes, device.Architecture,
            device.Driver)
        {
            Uuid = device.Uuid,
            IsAuto = index == auto,
        })];
        devices.Add(new SeenDevice(
            devices.Count, "cpu", "cpu", ProcessorName, cpu.MemoryBytes, InstructionSets.Describe(cpu.Width),
            RuntimeInformation.FrameworkDescription)
        {
            IsAuto = !devices.Exists(device => device.IsAuto),
        });
        var interpreter = InterpreterLauncher.Describe(cpu.MemoryBytes, waves: 1);
        devices.Add(new SeenDevice(
            devices.Count, interpreter.Kind, interpreter.Kind, interpreter.Name, interpreter.MemoryBytes, interpreter.Architecture,
            interpreter.Driver));
        return devices;
    }
}

using System.Runtime.InteropServices;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

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

    /// <summary>OpenCL devices, GPUs first, then what is always there.</summary>
    /// <exception cref="InvalidOperationException">An OpenCL driver fails.</exception>
    public static IReadOnlyList<SeenDevice> Find() => Of([.. OpenClDevice.All().Select(device => device.Description)], new CpuOptions());

    /// <param name="openCl">GPUs first.</param>
    public static IReadOnlyList<SeenDevice> Of(IReadOnlyList<DeviceDescription> openCl, CpuOptions cpu)
    {
        List<SeenDevice> devices = [.. openCl.Select((device, index) => new SeenDevice(
            index, device.Kind, $"{device.Kind} {(device.IsGpu ? "GPU" : "CPU")}", device.Name, device.MemoryBytes, device.Architecture,
            device.Driver)
        {
            Uuid = device.Uuid,
            IsAuto = device.IsGpu && index == 0,
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

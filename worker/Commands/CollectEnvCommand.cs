using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>collect-env</c>: what a report of a problem should say of program and machine. Of the environment only variables that choose
/// devices; nothing that could be a secret.</summary>
internal static class CollectEnvCommand
{
    private static readonly string[] Variables =
    [
        VisibleDevices.Variable, "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "OCL_ICD_VENDORS",
        KernelCache.Variable,
    ];

    public static Command Create()
    {
        var model = new Option<string?>("--model")
        {
            Description = "Folder of a checkpoint, or a GGUF file, to say also where its tokenizer is read from.",
        };
        var command = new Command("collect-env", "Prints versions, machine and devices, for reports of problems.") { model };
        command.SetAction(arguments =>
        {
            foreach (var (name, value) in Facts(Environment.GetEnvironmentVariable))
            {
                Console.WriteLine($"{name}: {value}");
            }

            if (arguments.GetValue(model) is { } folder)
            {
                Console.WriteLine($"tokenizer: {Tokenizer.Load(ModelFolder.OnDisk(folder) ?? folder).Description}");
            }

            DevicesCommand.Write();
        });
        return command;
    }

    /// <param name="variable">Reads the environment.</param>
    public static IEnumerable<(string Name, string Value)> Facts(Func<string, string?> variable)
    {
        var cpu = new CpuOptions();
        var version = typeof(CollectEnvCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        yield return ("cluster-worker", version ?? "unknown");
        yield return ("runtime", $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
        yield return ("system", RuntimeInformation.OSDescription);
        yield return ("processor", $"{SeenDevices.ProcessorName}, {cpu.Threads} threads, {InstructionSets.Describe(cpu.Width)}");
        yield return (
            "memory", string.Create(CultureInfo.InvariantCulture, $"{cpu.MemoryBytes / (double)(1L << 30):F1} GiB that may be used"));
        foreach (var name in Variables)
        {
            yield return (name, variable(name) ?? "not set");
        }
    }
}

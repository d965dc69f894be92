namespace Cluster.Common;

/// <summary>The values of <c>--device</c>. The one table for the worker, for local mode, and for what they tell of them.</summary>
internal static class DeviceNames
{
    /// <summary>The first of <see cref="Gpus"/> that has a GPU, else the CPU.</summary>
    public const string Auto = "auto";

    public const string Cpu = "cpu";

    /// <summary>AMD GPUs through ROCm's HIP.</summary>
    public const string Hip = "hip";

    /// <summary>NVIDIA GPUs through their driver.</summary>
    public const string Cuda = "cuda";

    /// <summary>Whatever has an OpenCL driver.</summary>
    public const string OpenCl = "opencl";

    /// <summary>ILGPU's interpreter, for tests.</summary>
    public const string Interpreter = "interpreter";

    /// <summary>Ways to a GPU, in the order in which <see cref="Auto"/> tries them.</summary>
    public static IReadOnlyList<string> Gpus { get; } = [Hip, Cuda, OpenCl];

    /// <summary>All of them, the default first.</summary>
    public static IReadOnlyList<string> All { get; } = [Auto, Cpu, .. Gpus, Interpreter];
}

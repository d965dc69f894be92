namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>Makes code objects for AMD GPUs of OpenCL C.</summary>
internal interface ICodeObjectCompiler
{
    /// <summary>Name and version; part of the kernel cache's key.</summary>
    string Name { get; }

    /// <param name="text">As <see cref="ClCompiler"/> writes it for AMD.</param>
    /// <param name="processor"><c>gfx942</c>.</param>
    /// <exception cref="KernelBuildException">It does not compile; the message begins with the compiler and ends with its own
    /// words.</exception>
    byte[] Compile(string text, string processor);
}

namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>A parameter of a kernel in a code object, in bytes.</summary>
/// <param name="Kind"><c>global_buffer</c>, <c>by_value</c>, or what the runtime fills in (<c>hidden_…</c>).</param>
internal sealed record CodeObjectArgument(int Offset, int Size, string Kind);

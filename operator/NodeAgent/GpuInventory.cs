using Cluster.Operator.Api;

namespace Cluster.Operator.NodeAgent;

/// <summary>What <see cref="KfdTopology"/> found.</summary>
/// <param name="Gpus">In ROCr's order.</param>
/// <param name="Problems">GPUs that are there but that this process may not open, in words. While there are any, the indices of the others
/// are not those that a process with more rights, such as a privileged worker, would count.</param>
/// <param name="RenderMinors">Of each GPU, the number of its render node <c>/dev/dri/renderDN</c>; 0 where the driver does not
/// tell.</param>
internal sealed record GpuInventory(IReadOnlyList<GpuDevice> Gpus, IReadOnlyList<string> Problems, IReadOnlyList<int> RenderMinors);

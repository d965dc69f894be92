using System.Globalization;
using Cluster.Operator.Api;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>One GPU as <see cref="KubeletPlugin"/> offers it to the kubelet: a resource of which there is one.</summary>
/// <param name="Id">Name of the one device of the resource: the GPU's UUID without its prefix, or <c>index-3</c>.</param>
/// <param name="NumaNode">For the kubelet's topology manager; null where it is not known.</param>
/// <param name="RenderNode">On the host: <c>/dev/dri/renderD128</c>.</param>
/// <param name="CdiName">The GPU's name in a CDI specification of the node; null where there is none.</param>
internal sealed record OfferedGpu(string Id, int? NumaNode, string RenderNode, string? CdiName)
{
    public string Resource => GpuResource.Prefix + Id;

    /// <summary>The socket's name in the kubelet's folder. With the folder it stays below the 107 characters that Linux takes.</summary>
    public string Endpoint => $"cluster-gpu-{Id}.sock";

    /// <param name="cdiNames">Names by render node.</param>
    /// <returns>Null for a GPU of which the driver does not tell the render node: nothing could be handed out.</returns>
    public static OfferedGpu? Of(GpuDevice gpu, int renderMinor, bool uuidsAreUnique, IReadOnlyDictionary<string, string> cdiNames)
    {
        if (renderMinor == 0)
        {
            return null;
        }

        var renderNode = string.Create(CultureInfo.InvariantCulture, $"/dev/dri/renderD{renderMinor}");
        return new OfferedGpu(GpuResource.IdOf(gpu, uuidsAreUnique), gpu.NumaNode, renderNode, cdiNames.GetValueOrDefault(renderNode));
    }
}

using System.Text;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Tests.Models.Checkpoints;

/// <summary>Writes tensors to safetensors files, for checkpoints in forms that the repository has no fixture of.</summary>
internal static class SafetensorsWriter
{
    public static void Write(string path, IEnumerable<(string Name, HostTensor Tensor)> tensors)
    {
        JsonObject header = [];
        using MemoryStream data = new();
        foreach (var (name, tensor) in tensors)
        {
            var begin = data.Length;
            for (var row = 0; row < tensor.Rows; row++)
            {
                data.Write(tensor.Row(row));
            }

            GC.KeepAlive(tensor);
            header[name] = new JsonObject
            {
                ["dtype"] = SafetensorsDTypes.Spelling(tensor.DType),
                ["shape"] = new JsonArray([.. tensor.Shape.Select(size => (JsonNode)size)]),
                ["data_offsets"] = new JsonArray(begin, data.Length),
            };
        }

        var json = Encoding.UTF8.GetBytes(header.ToJsonString());
        using var file = File.Create(path);
        file.Write(BitConverter.GetBytes((ulong)json.Length));
        file.Write(json);
        data.WriteTo(file);
    }

    /// <summary>All tensors of a checkpoint.</summary>
    public static IEnumerable<(string Name, HostTensor Tensor)> All(WeightSource weights) =>
        weights.Names.Order(StringComparer.Ordinal).Select(name => (name, weights.Find(name)!));
}

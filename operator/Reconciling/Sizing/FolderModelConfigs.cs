using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads configurations of <c>file://</c> models where the operator is on the same machine as the files: local mode and
/// <c>render</c>. Other sources go to <paramref name="others"/>.</summary>
/// <param name="map">From a folder of the node to one of this machine.</param>
internal sealed class FolderModelConfigs(Func<string, string> map, IModelConfigs others) : IModelConfigs
{
    public Task<ModelConfig> ReadAsync(ModelSource source, CancellationToken cancellationToken)
    {
        if (source is not ModelSource.File model)
        {
            return others.ReadAsync(source, cancellationToken);
        }

        var folder = map(model.Path);
        var here = folder == model.Path ? "" : $" ({folder} on this machine)";
        var config = Read(folder, ModelConfig.FileName, FileKind.ModelConfig) ?? throw Missing(folder, model.Path + here);
        foreach (var name in QuantizationMethods.Files)
        {
            if (ModelConfig.LacksQuantization(config) && Read(folder, name, FileKind.ModelConfig) is { } settings)
            {
                ModelConfig.AddQuantization(config, name, settings);
            }
        }

        var bytes = Read(folder, ModelConfig.IndexName, FileKind.WeightIndex with { MaxBytes = ModelConfig.MaxIndexBytes }) is { } index
            ? ModelConfig.TotalSize(index)
            : FileNode.At(Path.Combine(folder, "model.safetensors"), followLinks: true)?.Length;
        return Task.FromResult(new ModelConfig(config, bytes, $"{ModelConfig.FileName} in {model.Path}"));
    }

    private static ModelConfigException Missing(string folder, string name) =>
        Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.gguf").Any()
            ? new ModelConfigException($"{name} has GGUF files, and the operator does not read how their tensors are stored")
            {
                Remedy = ModelConfigException.Number,
            }
            : new ModelConfigException($"there is no {ModelConfig.FileName} in {name}");

    private static JsonObject? Read(string folder, string name, FileKind kind)
    {
        var path = Path.Combine(folder, name);
        try
        {
            return RegularFile.IsThere(path) ? ModelConfig.Parse(RegularFile.ReadBytes(path, kind), path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelConfigException($"{path} cannot be read: {e.Message}", e);
        }
    }
}

using System.Text.Json.Nodes;
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
        var config = Read(folder, ModelConfig.FileName, ModelConfig.MaxConfigBytes)
            ?? throw new ModelConfigException($"there is no {ModelConfig.FileName} in {model.Path}{here}");
        var bytes = Read(folder, ModelConfig.IndexName, ModelConfig.MaxIndexBytes) is { } index ? ModelConfig.TotalSize(index)
            : new FileInfo(Path.Combine(folder, "model.safetensors")) is { Exists: true } file ? file.Length
            : null;
        return Task.FromResult(new ModelConfig(config, bytes, $"{ModelConfig.FileName} in {model.Path}"));
    }

    private static JsonObject? Read(string folder, string name, int mostBytes)
    {
        FileInfo file = new(Path.Combine(folder, name));
        try
        {
            return !file.Exists ? null
                : file.Length <= mostBytes ? ModelConfig.Parse(File.ReadAllBytes(file.FullName), file.FullName)
                : throw new ModelConfigException($"{file.FullName} is {file.Length} bytes long; at most {mostBytes} are read");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelConfigException($"{file.FullName} cannot be read: {e.Message}", e);
        }
    }
}

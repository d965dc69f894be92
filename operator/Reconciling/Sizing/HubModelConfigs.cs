using System.Net;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads configurations of public <c>hf://</c> models from the hub or a mirror: two small files, without a token, for the
/// operator has no right to read Secrets. Other sources go to <paramref name="others"/>.</summary>
/// <param name="endpoint">Such as <c>https://huggingface.co</c>; a path in it is kept, as mirrors behind a gateway need.</param>
internal sealed class HubModelConfigs(HttpClient http, Uri endpoint, IModelConfigs others) : IModelConfigs
{
    public const string DefaultEndpoint = "https://huggingface.co";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>A client for it; what it reads is bounded.</summary>
    public static HttpClient CreateClient() => new() { MaxResponseContentBufferSize = ModelConfig.MaxIndexBytes, Timeout = Patience };

    public async Task<ModelConfig> ReadAsync(ModelSource source, CancellationToken cancellationToken)
    {
        if (source is not ModelSource.Hf model)
        {
            return await others.ReadAsync(source, cancellationToken);
        }

        var config = await GetAsync(model, ModelConfig.FileName, cancellationToken)
            ?? throw new ModelConfigException(
                $"{endpoint.Host} has no {ModelConfig.FileName} of {model.Repository} at revision {model.Revision} for everybody to read");
        if (config.Length > ModelConfig.MaxConfigBytes)
        {
            throw new ModelConfigException(
                $"{ModelConfig.FileName} of {model.Repository} is {config.Length} bytes long; "
                + $"at most {ModelConfig.MaxConfigBytes} are read");
        }

        var json = ModelConfig.Parse(config, ModelConfig.FileName);
        var index = await GetAsync(model, ModelConfig.IndexName, cancellationToken) is { } text
            ? ModelConfig.Parse(text, ModelConfig.IndexName)
            : null;
        foreach (var name in QuantizationMethods.Files)
        {
            if (MayBeQuantized(json, index) && await GetAsync(model, name, cancellationToken) is { } settings)
            {
                ModelConfig.AddQuantization(json, name, ModelConfig.Parse(settings, name));
            }
        }

        return new ModelConfig(
            json,
            index is null ? null : ModelConfig.TotalSize(index),
            $"{ModelConfig.FileName} of {model.Repository}@{model.Revision} at {endpoint.Host}");
    }

    /// <summary>Whether another file may say how weights are quantized: no request is made for what an index rules out.</summary>
    private static bool MayBeQuantized(JsonObject config, JsonObject? index) =>
        ModelConfig.LacksQuantization(config)
        && config["model_type"] is not null
        && (index is null
            || (index["weight_map"] is JsonObject map && map.Any(entry => entry.Key.EndsWith(".qweight", StringComparison.Ordinal))));

    /// <returns>Null when the file is not there, or not for everybody: the hub answers 401 for what it will not even admit to
    /// have.</returns>
    private async Task<byte[]?> GetAsync(ModelSource.Hf model, string file, CancellationToken cancellationToken)
    {
        Uri address = new($"{endpoint.AbsoluteUri.TrimEnd('/')}/{model.Repository}/resolve/{Uri.EscapeDataString(model.Revision)}/{file}");
        try
        {
            using var answer = await http.GetAsync(address, cancellationToken);
            return answer switch
            {
                { IsSuccessStatusCode: true } => await answer.Content.ReadAsByteArrayAsync(cancellationToken),
                { StatusCode: HttpStatusCode.NotFound or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden } => null,
                _ => throw new ModelConfigException($"{endpoint.Host} answered {(int)answer.StatusCode} to {address.AbsolutePath}"),
            };
        }
        catch (HttpRequestException e)
        {
            throw new ModelConfigException($"{endpoint.Host} cannot be asked for {address.AbsolutePath}: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ModelConfigException($"{endpoint.Host} did not answer within {Patience.TotalSeconds:0} s", e);
        }
    }
}

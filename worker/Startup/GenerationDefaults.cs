using System.Globalization;
using System.Text;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Startup;

/// <summary>Reads how requests are sampled that do not say it: <c>generation_config.json</c> (<c>--generation-config</c>) and what stands
/// above it (<c>--override-generation-config</c>). Called by <see cref="TextEngine"/>.</summary>
internal static class GenerationDefaults
{
    private const string FileName = "generation_config.json";

    /// <summary>vLLM's word for <see cref="WorkerFlags.None"/>.</summary>
    private const string ApiDefaults = "vllm";

    private const string OverrideFlag = "--override-generation-config";
    private const int MostTokens = 1 << 30;

    /// <param name="model">Folder of the checkpoint, or the name of a synthetic one.</param>
    /// <param name="source"><c>auto</c>: the checkpoint's; <c>none</c>: no file; else the folder that has it.</param>
    /// <param name="overrides">A JSON object of the same fields; null for none.</param>
    /// <exception cref="ModelConfigException">A value is malformed; the message names file, key and value.</exception>
    /// <exception cref="StartupException">There is no such folder.</exception>
    public static SamplingDefaults Load(string model, string source, string? overrides, Action<string> log)
    {
        var file = FileOf(model, source);
        var defaults = file is null ? SamplingDefaults.None : Read(ConfigObject.Load(file), SamplingDefaults.None);

        // As in vLLM: what the server's owner names bounds every request, what a checkpoint names is a default.
        if (file is not null && source != WorkerFlags.Auto)
        {
            defaults = defaults with { MaxTokensLimit = defaults.MaxTokens };
        }

        if (overrides is not null)
        {
            var above = ConfigObject.Parse(OverrideFlag, Encoding.UTF8.GetBytes(overrides));
            defaults = Read(above, defaults);
            defaults = above.Has("max_new_tokens") ? defaults with { MaxTokensLimit = defaults.MaxTokens } : defaults;
        }

        if (defaults != SamplingDefaults.None)
        {
            log($"requests that do not say otherwise are sampled with {Describe(defaults)}");
        }

        return defaults;
    }

    /// <summary>Tokens that end a sequence by the file, beside those the model's own files name.</summary>
    /// <exception cref="ModelConfigException">They are malformed.</exception>
    /// <exception cref="StartupException">There is no such folder.</exception>
    public static IReadOnlyCollection<int> EosTokenIds(string model, string source) =>
        FileOf(model, source) is { } file ? ConfigObject.Load(file).TokenIds("eos_token_id") : [];

    private static string? FileOf(string model, string source)
    {
        if (source is WorkerFlags.None or ApiDefaults)
        {
            return null;
        }

        if (source == WorkerFlags.Auto)
        {
            var own = Path.Combine(model, FileName);
            return File.Exists(own) ? own : null;
        }

        var given = Path.Combine(source, FileName);
        return File.Exists(given)
            ? given
            : throw new StartupException(
                $"--generation-config {source}: there is no file {given}; give {WorkerFlags.Auto}, {WorkerFlags.None} or a folder with a "
                + FileName);
    }

    private static SamplingDefaults Read(ConfigObject json, SamplingDefaults beneath) => new()
    {
        Temperature = (float?)json.OptionalNumber("temperature", 0, 1e6) ?? beneath.Temperature,
        TopK = json.OptionalInteger("top_k", -1, int.MaxValue) ?? beneath.TopK,
        TopP = (float?)json.OptionalPositive("top_p", 1) ?? beneath.TopP,
        MinP = (float?)json.OptionalNumber("min_p", 0, 1) ?? beneath.MinP,
        RepetitionPenalty = (float?)json.OptionalPositive("repetition_penalty", 1e6) ?? beneath.RepetitionPenalty,
        MaxTokens = json.OptionalInteger("max_new_tokens", 1, MostTokens) ?? beneath.MaxTokens,
        MaxTokensLimit = beneath.MaxTokensLimit,
    };

    private static string Describe(SamplingDefaults defaults)
    {
        var values = new (string Name, IFormattable? Value)[]
        {
            ("temperature", defaults.Temperature), ("top_k", defaults.TopK), ("top_p", defaults.TopP), ("min_p", defaults.MinP),
            ("repetition_penalty", defaults.RepetitionPenalty), ("max_new_tokens", defaults.MaxTokens),
        };
        return string.Join(
            ", ",
            values.Where(one => one.Value is not null)
                .Select(one => $"{one.Name} {one.Value!.ToString(null, CultureInfo.InvariantCulture)}"));
    }
}

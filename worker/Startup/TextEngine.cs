using System.Diagnostics;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Startup;

/// <summary>A running engine with what turns text into its tokens and back: the last link of the chain that starts with
/// <see cref="StartupOptions"/>. Loaded by every command that generates.</summary>
internal sealed class TextEngine : IAsyncDisposable
{
    private TextEngine(
        Tokenizer tokenizer, IChatTemplate? chatTemplate, SamplingDefaults defaults, LlmEngine engine, RankGroup? ranks,
        IReadOnlyList<string> devices, long weightBytes)
    {
        WeightBytes = weightBytes;
        Defaults = defaults;
        Tokenizer = tokenizer;
        ChatTemplate = chatTemplate;
        Engine = engine;
        Ranks = ranks;
        Devices = devices;
    }

    public Tokenizer Tokenizer { get; }

    public IChatTemplate? ChatTemplate { get; }

    /// <summary>How requests are sampled that do not say it.</summary>
    public SamplingDefaults Defaults { get; }

    public LlmEngine Engine { get; }

    /// <summary>The other ranks of a tensor-parallel group; null when the model runs in this process alone.</summary>
    public RankGroup? Ranks { get; }

    /// <summary>What each rank computes on.</summary>
    public IReadOnlyList<string> Devices { get; }

    /// <summary>Of the checkpoint's weights, as this process has taken them.</summary>
    public long WeightBytes { get; }

    /// <summary>Loads in the calling thread; takes as long as the checkpoint is large.</summary>
    /// <param name="log">What to tell: one line per fact, as in vLLM's start log.</param>
    /// <param name="observer">Is told of latencies and ended requests.</param>
    /// <param name="time">Measures how long the load is at one place; null for the system's.</param>
    /// <exception cref="StartupException">The options do not fit the model, the device or the machine.</exception>
    public static TextEngine Load(
        StartupOptions options, ModelFolders folders, IProgress<LoadProgress>? progress, Action<string> log,
        IEngineObserver? observer = null, TimeProvider? time = null)
    {
        var clock = Stopwatch.StartNew();
        using var watch = LoadWatch.Start(time ?? TimeProvider.System, log);
        try
        {
            var tokenizer = Tokenizer.Load(folders.Model);
            var chatTemplate = ServedTemplate.Load(folders.Model, options.ChatTemplate, log);
            var endOfSequence = SpecialTokenNames.EndOfSequence(folders.Model, tokenizer);
            var defaults = GenerationDefaults.Load(folders.Model, options.GenerationConfig, options.GenerationOverrides, log);
            var model = ReplicaModel.Load(options, folders, tokenizer, progress, log);
            log($"tokenizer: {tokenizer.Description}");
            var engineOptions = options.Engine with
            {
                EosTokenIds = GenerationDefaults.EosTokenIds(folders.Model, options.GenerationConfig),
            };
            var engine = model.StartEngine(tokenizer, engineOptions, observer: observer, endOfSequence: endOfSequence);
            log($"loaded in {clock.Elapsed.TotalSeconds:F2} s");
            return new TextEngine(tokenizer, chatTemplate, defaults, engine, model.Ranks, model.Devices, model.Target.Source.Bytes);
        }
        catch (ArgumentException exception)
        {
            throw new StartupException(exception.Message, exception);
        }
    }

    /// <summary>Stops the engine, which owns model and device.</summary>
    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

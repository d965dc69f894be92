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
    private readonly ModelText _text;

    private TextEngine(ModelText text, LlmEngine engine, RankGroup? ranks, IReadOnlyList<string> devices, long weightBytes)
    {
        _text = text;
        WeightBytes = weightBytes;
        Engine = engine;
        Ranks = ranks;
        Devices = devices;
    }

    public Tokenizer Tokenizer => _text.Tokenizer;

    public IChatTemplate? ChatTemplate => _text.ChatTemplate;

    /// <summary>How requests are sampled that do not say it.</summary>
    public SamplingDefaults Defaults => _text.Defaults;

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
    /// <param name="text">Read by whoever had time to; null reads it before the weights.</param>
    /// <exception cref="StartupException">The options do not fit the model, the device or the machine.</exception>
    public static TextEngine Load(
        StartupOptions options, ModelFolders folders, IProgress<LoadProgress>? progress, Action<string> log,
        IEngineObserver? observer = null, TimeProvider? time = null, ModelText? text = null)
    {
        var clock = Stopwatch.StartNew();
        text ??= ModelText.Load(options, folders, log, time);
        using var watch = LoadWatch.Start(time ?? TimeProvider.System, log);
        try
        {
            var model = ReplicaModel.Load(options, folders, text.Tokenizer, progress, log);
            log($"tokenizer: {text.Tokenizer.Description}");
            var engineOptions = options.Engine with { EosTokenIds = text.EosTokenIds };
            var engine = model.StartEngine(text.Tokenizer, engineOptions, observer: observer, endOfSequence: text.EndOfSequence);
            log($"loaded in {clock.Elapsed.TotalSeconds:F2} s");
            return new TextEngine(text, engine, model.Ranks, model.Devices, model.Target.Source.Bytes);
        }
        catch (ArgumentException exception)
        {
            throw new StartupException(exception.Message, exception);
        }
    }

    /// <summary>Stops the engine, which owns model and device.</summary>
    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

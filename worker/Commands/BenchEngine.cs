using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Engine;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>An engine to measure, in this process. Unlike <see cref="TextEngine"/> it takes checkpoints without a tokenizer,
/// and times the steps.</summary>
internal sealed class BenchEngine : IAsyncDisposable
{
    private readonly (string Description, bool IsGpu) _device;

    private BenchEngine(
        LlmEngine engine, MeteredRunner steps, ITokenizer tokenizer, int[] vocabulary, (string Description, bool IsGpu) device)
    {
        _device = device;
        Engine = engine;
        Steps = steps;
        Tokenizer = tokenizer;
        Vocabulary = vocabulary;
    }

    public LlmEngine Engine { get; }

    public MeteredRunner Steps { get; }

    public ITokenizer Tokenizer { get; }

    /// <summary>Ids to draw random prompts from.</summary>
    public int[] Vocabulary { get; }

    /// <param name="numRequests">As many may wait.</param>
    /// <exception cref="CommandFailure">The flags do not fit the model or the machine.</exception>
    public static async Task<BenchEngine> LoadAsync(StartupOptions options, int numRequests, CancellationToken cancellationToken)
    {
        var folders = await ModelFolder.PrepareAsync(options, Console.Error.WriteLine, cancellationToken);
        try
        {
            var fileTokenizer = TokenizerFile.Find(folders.Model) is null ? null : Tokenization.Tokenizer.Load(folders.Model);
            var model = LoadBar.Run(progress => ReplicaModel.Load(options, folders, fileTokenizer, progress, Console.Error.WriteLine));
            var config = model.Target.Config;
            ITokenizer tokenizer = fileTokenizer is null ? new IdTokenizer(config.VocabSize) : fileTokenizer;
            var steps = new MeteredRunner(model.Runner, ModelCost.Of(model.Target), TimeProvider.System, options.Device.Profile);
            var engine = model.StartEngine(
                tokenizer, options.Engine with { MaxQueue = Math.Max(options.Engine.MaxQueue, numRequests) }, steps);
            return new BenchEngine(engine, steps, tokenizer, DatasetSource.TextTokens(tokenizer, config.VocabSize), model.Device);
        }
        catch (ArgumentException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }
    }

    /// <exception cref="CommandFailure">A prompt does not fit the model.</exception>
    public async Task<OfflineRun> RunAsync(IReadOnlyList<BenchmarkPrompt> prompts, Action? onFinished, CancellationToken cancellationToken)
    {
        try
        {
            return await OfflineRun.RunAsync(Engine, prompts, onFinished, TimeProvider.System, cancellationToken);
        }
        catch (InvalidRequestException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }
    }

    /// <summary>A table of what steps consisted of.</summary>
    /// <param name="ceilings">The processor's, for models that run on it.</param>
    public ProfileReport Profile(OperationProfile profile, Ceilings ceilings) => new(profile, Peaks(ceilings));

    /// <param name="ceilings">The processor's, for models that run on it, also as an OpenCL device.</param>
    /// <returns>Null for a GPU whose data sheet is not known here.</returns>
    public PeakRates? Peaks(Ceilings ceilings) => _device.IsGpu ? PeakRates.Of(_device.Description) : PeakRates.Of(ceilings);

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

using System.CommandLine;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Engine;
using Cluster.Worker.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>An engine to measure, in this process. Unlike <see cref="LoadedWorker"/> it takes synthetic models, which have no tokenizer, and times the steps.</summary>
internal sealed class BenchEngine : IAsyncDisposable
{
    private BenchEngine(LlmEngine engine, MeteredRunner steps, ITokenizer tokenizer, int[] vocabulary)
    {
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
    public static async Task<BenchEngine> LoadAsync(EngineFlags flags, ParseResult arguments, int numRequests, CancellationToken cancellationToken)
    {
        var name = arguments.GetRequiredValue(flags.Model);
        var source = SyntheticModel.IsSource(name) ? name : await ModelFolder.PrepareAsync(flags, arguments, Console.Error.WriteLine, cancellationToken);
        var draft = SyntheticModel.IsSource(name) ? null : await ModelFolder.PrepareDraftAsync(flags, arguments, Console.Error.WriteLine, cancellationToken);
        try
        {
            var fileTokenizer = SyntheticModel.IsSource(name) ? null : Tokenization.Tokenizer.Load(source);
            var loaded = LoadBar.Run(progress => EngineModel.Load(source, draft, fileTokenizer, flags, arguments, progress, Console.Error.WriteLine));
            var model = loaded.Target;
            ITokenizer tokenizer = fileTokenizer is null ? new IdTokenizer(model.Config.VocabSize) : fileTokenizer;
            var steps = new MeteredRunner(loaded.Runner, ModelCost.Of(model), TimeProvider.System);
            var options = LoadedWorker.EngineOptionsOf(flags, arguments, model.Config);
            options = options with { MaxQueue = Math.Max(options.MaxQueue, numRequests) };
            var engine = new LlmEngine(new BackgroundRunner(steps), tokenizer, options, TimeProvider.System, loaded.Proposer);
            return new BenchEngine(engine, steps, tokenizer, DatasetSource.TextTokens(tokenizer, model.Config.VocabSize));
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

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Offline;

/// <summary>A model in this process, for programs that have many prompts and need no server. Answers are those of the server, bit by bit.
/// Safe to call from several threads; all calls share one engine. Named after vLLM's class.</summary>
/// <example><code>
/// await using var llm = new LLM("deploy/samples/models/haiku-1m");
/// foreach (var output in llm.Generate(["Write a haiku", "The sea"], new SamplingParams { Temperature = 0 }))
/// {
///     Console.WriteLine(output.Outputs[0].Text);
/// }
/// </code></example>
public sealed class LLM : IDisposable, IAsyncDisposable
{
    /// <summary>Requests that the engine is given at once, for each sequence that can run.</summary>
    private const int RequestsPerSequence = 2;

    /// <summary>Requests of many sequences may wait as well.</summary>
    private const int MaxQueue = 1 << 20;

    private readonly TextEngine _engine;
    private readonly ServedModel _model;
    private readonly int _mostAtOnce;
    private long _requests;

    /// <summary>Loads a model, which takes as long as its checkpoint is large.</summary>
    /// <param name="model">Folder of a Hugging Face checkpoint, or <c>org/name</c> of the hub.</param>
    /// <exception cref="ArgumentException">An option is unknown or out of range.</exception>
    /// <exception cref="LLMException">The model cannot be loaded.</exception>
    public LLM(string model, LLMOptions? options = null)
        : this(Task.Run(() => StartAsync(model, options ?? new LLMOptions(), CancellationToken.None)).GetAwaiter().GetResult())
    {
    }

    private LLM((TextEngine Engine, ServedModel Model, int MostAtOnce) loaded) =>
        (_engine, _model, _mostAtOnce) = loaded;

    /// <summary>Longest sequence, prompt and output together.</summary>
    public int MaxModelLength => _engine.Engine.MaxModelLength;

    /// <summary>Loads a model without holding the calling thread.</summary>
    /// <inheritdoc cref="LLM(string, LLMOptions?)"/>
    public static async Task<LLM> LoadAsync(string model, LLMOptions? options = null, CancellationToken cancellationToken = default) =>
        new(await Task.Run(() => StartAsync(model, options ?? new LLMOptions(), cancellationToken), cancellationToken));

    /// <summary>Continues every prompt and waits for all of them.</summary>
    /// <param name="progress">Told as prompts are answered.</param>
    /// <returns>One for each prompt, in their order.</returns>
    /// <exception cref="ArgumentException">A prompt or a parameter cannot be used.</exception>
    /// <exception cref="LLMException">The model can be computed no more.</exception>
    public IReadOnlyList<RequestOutput> Generate(
        IEnumerable<Prompt> prompts, SamplingParams? sampling = null, IProgress<GenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => GenerateAsync(prompts, sampling, progress, cancellationToken), cancellationToken).GetAwaiter().GetResult();

    /// <summary>Continues texts; otherwise as above.</summary>
    public IReadOnlyList<RequestOutput> Generate(
        IEnumerable<string> prompts, SamplingParams? sampling = null, IProgress<GenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Generate(prompts.Select(Prompt.OfText), sampling, progress, cancellationToken);

    /// <summary>Continues one prompt.</summary>
    public RequestOutput Generate(Prompt prompt, SamplingParams? sampling = null, CancellationToken cancellationToken = default) =>
        Generate([prompt], sampling, null, cancellationToken)[0];

    /// <inheritdoc cref="Generate(IEnumerable{Prompt}, SamplingParams?, IProgress{GenerationProgress}?, CancellationToken)"/>
    public Task<IReadOnlyList<RequestOutput>> GenerateAsync(
        IEnumerable<Prompt> prompts, SamplingParams? sampling = null, IProgress<GenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        RunAsync([.. prompts.Select(prompt => (Func<PlannedRequest>)(() => Plan(prompt)))], sampling, progress, cancellationToken);

    /// <summary>Answers one conversation.</summary>
    public RequestOutput Chat(
        IReadOnlyList<ChatMessage> messages, SamplingParams? sampling = null, CancellationToken cancellationToken = default) =>
        Chat([messages], sampling, null, cancellationToken)[0];

    /// <summary>Answers every conversation and waits for all of them; otherwise as
    /// <see cref="Generate(IEnumerable{Prompt}, SamplingParams?, IProgress{GenerationProgress}?, CancellationToken)"/>.</summary>
    public IReadOnlyList<RequestOutput> Chat(
        IEnumerable<IReadOnlyList<ChatMessage>> conversations, SamplingParams? sampling = null,
        IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => ChatAsync(conversations, sampling, progress, cancellationToken), cancellationToken).GetAwaiter().GetResult();

    /// <summary>Answers every conversation, without holding the calling thread.</summary>
    /// <exception cref="ArgumentException">A message or a parameter cannot be used.</exception>
    public Task<IReadOnlyList<RequestOutput>> ChatAsync(
        IEnumerable<IReadOnlyList<ChatMessage>> conversations, SamplingParams? sampling = null,
        IProgress<GenerationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        RunAsync(
            [.. conversations.Select(messages => (Func<PlannedRequest>)(() => Plan(messages)))], sampling, progress, cancellationToken);

    /// <summary>Continues one prompt, with its outputs in parts as they come. Leaving the enumeration ends the request.</summary>
    /// <exception cref="ArgumentException">The prompt or a parameter cannot be used.</exception>
    public IAsyncEnumerable<CompletionOutput> StreamAsync(
        Prompt prompt, SamplingParams? sampling = null, CancellationToken cancellationToken = default) =>
        StreamAsync(() => Plan(prompt), sampling, cancellationToken);

    /// <summary>Answers one conversation, in parts; otherwise as
    /// <see cref="StreamAsync(Prompt, SamplingParams?, CancellationToken)"/>.</summary>
    public IAsyncEnumerable<CompletionOutput> StreamChatAsync(
        IReadOnlyList<ChatMessage> messages, SamplingParams? sampling = null, CancellationToken cancellationToken = default) =>
        StreamAsync(() => Plan(messages), sampling, cancellationToken);

    /// <summary>Ends what runs, and frees the model and its device.</summary>
    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => Task.Run(async () => await DisposeAsync()).GetAwaiter().GetResult();

    private static async Task<(TextEngine, ServedModel, int)> StartAsync(
        string model, LLMOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var startup = OfflineStartup.Read(model, options);
            startup = startup with { Engine = startup.Engine with { MaxQueue = MaxQueue } };
            var log = options.Log ?? (_ => { });
            var folders = await ModelFolder.PrepareAsync(startup, log, cancellationToken);
            var engine = TextEngine.Load(startup, folders, progress: null, log);
            var served = new ServedModel([model], startup.Model, engine.Engine, engine.Tokenizer, engine.ChatTemplate, engine.Devices);
            return (engine, served, RequestsPerSequence * startup.Engine.MaxNumSeqs);
        }
        catch (Exception exception) when (OfflineFailure.Of(exception) is var other && other != exception)
        {
            throw other;
        }
    }

    private async Task<IReadOnlyList<RequestOutput>> RunAsync(
        IReadOnlyList<Func<PlannedRequest>> plans, SamplingParams? sampling, IProgress<GenerationProgress>? progress,
        CancellationToken cancellationToken)
    {
        var parameters = OfflineOutputs.Read(sampling ?? new SamplingParams());
        var outputs = new List<RequestOutput>(plans.Count);
        var tokens = 0L;
        try
        {
            await foreach (var output in OrderedRun.RunAsync(plans, _mostAtOnce, AnswerAsync, cancellationToken))
            {
                outputs.Add(output);
                tokens += output.Outputs.Sum(one => one.TokenIds.Count);
                progress?.Report(new GenerationProgress(outputs.Count, plans.Count, tokens));
            }

            return outputs;
        }
        catch (Exception exception) when (OfflineFailure.Of(exception) is var other && other != exception)
        {
            throw other;
        }

        async Task<RequestOutput> AnswerAsync(Func<PlannedRequest> plan, CancellationToken stop)
        {
            var (text, ids) = plan();
            var whole = await JoinedOutput.CollectAsync(_engine.Engine, new GenerationRequest(NextId(), ids, parameters), stop);
            return OfflineOutputs.Of(_model, text, ids, whole);
        }
    }

    private async IAsyncEnumerable<CompletionOutput> StreamAsync(
        Func<PlannedRequest> plan, SamplingParams? sampling, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var parameters = OfflineOutputs.Read(sampling ?? new SamplingParams());
        IAsyncEnumerator<TokenOutput> outputs;
        try
        {
            outputs = _engine.Engine.GenerateAsync(new GenerationRequest(NextId(), plan().TokenIds, parameters), cancellationToken)
                .GetAsyncEnumerator(cancellationToken);
        }
        catch (Exception exception) when (OfflineFailure.Of(exception) is var other && other != exception)
        {
            throw other;
        }

        await using (outputs)
        {
            while (await NextAsync(outputs))
            {
                yield return OfflineOutputs.Part(_model, outputs.Current);
            }
        }
    }

    private static async Task<bool> NextAsync(IAsyncEnumerator<TokenOutput> outputs)
    {
        try
        {
            return await outputs.MoveNextAsync();
        }
        catch (Exception exception) when (OfflineFailure.Of(exception) is var other && other != exception)
        {
            throw other;
        }
    }

    private PlannedRequest Plan(Prompt prompt) =>
        new(prompt.Text, prompt.TokenIds ?? ServedPrompt.OfText(_model, prompt.Text!));

    private PlannedRequest Plan(IReadOnlyList<ChatMessage> messages) => new(null, ServedPrompt.OfChat(_model, new JsonObject
    {
        ["messages"] = new JsonArray(
            [.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]),
    }));

    private string NextId() => string.Create(CultureInfo.InvariantCulture, $"offline-{Interlocked.Increment(ref _requests)}");

    private readonly record struct PlannedRequest(string? Text, IReadOnlyList<int> TokenIds);
}

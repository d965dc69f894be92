using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

/// <summary>An output of one of the choices of a response.</summary>
internal readonly record struct ChoiceOutput(int Index, TokenOutput Output);

/// <summary>Runs the generations behind one response: several prompts with <c>n</c> samples of each. Called by the endpoints; calls the
/// engine.</summary>
internal static class Choices
{
    /// <summary>Most generations one response may ask for.</summary>
    public const int MaxChoices = 128;

    /// <summary>One engine request a prompt, with all its samples. They become choices prompt after prompt, samples of a prompt next to
    /// each other.</summary>
    /// <param name="leadingEvents">Events of a choice before its first token's.</param>
    public static GenerationRequest[] Plan(
        RequestTicket ticket, IReadOnlyList<IReadOnlyList<int>> prompts, SamplingParameters sampling, bool stream, int leadingEvents = 0)
    {
        if (sampling.N < 1 || (long)sampling.N * prompts.Count > MaxChoices)
        {
            throw ApiException.BadRequest(
                $"'n' is {sampling.N} for {prompts.Count} prompt(s); it must be at least 1, and prompts × n at most {MaxChoices}", "n");
        }

        if (sampling.BestOf is { } bestOf && (bestOf < sampling.N || (long)bestOf * prompts.Count > MaxChoices))
        {
            throw ApiException.BadRequest(
                $"'best_of' is {bestOf} for {prompts.Count} prompt(s); it must be at least 'n' ({sampling.N}), and prompts × best_of at "
                + $"most {MaxChoices}", "best_of");
        }

        if (stream && sampling.BestOf > sampling.N)
        {
            throw ApiException.BadRequest(
                $"'best_of' is {sampling.BestOf} and 'n' {sampling.N}: the best are known only at the end and cannot be streamed",
                "best_of");
        }

        if (stream && sampling.Beams is not null)
        {
            throw ApiException.BadRequest(
                "'use_beam_search' cannot be streamed: the best outputs are known only at the end", "use_beam_search");
        }

        return [.. prompts.Select(
            (prompt, index) =>
            {
                var request = new GenerationRequest($"{ticket.EngineId}-{index}", prompt, sampling)
                {
                    Priority = ticket.Priority,
                    CacheSalt = ticket.CacheSalt,
                };
                return ticket.Envelope is { } envelope ? Relay.Of(request, envelope, index, stream, leadingEvents) : request;
            })];
    }

    /// <summary>Choices of the response that these requests lead to.</summary>
    public static int CountOf(IReadOnlyList<GenerationRequest> requests) => requests.Sum(request => request.Sampling.N);

    /// <summary>Outputs of all requests as they come; what the deadline ends has the finish reason <see cref="FinishReason.Abort"/>.
    /// Leaving the enumeration ends every one of them.</summary>
    public static IAsyncEnumerable<ChoiceOutput> RunAsync(
        IEngine engine,
        IReadOnlyList<GenerationRequest> requests,
        RequestDeadline deadline,
        CancellationToken cancellationToken)
    {
        var outputs = MergeAsync(engine, requests, deadline, cancellationToken);
        return requests[0].TellsTextLengths ? new ChoicesInTurn(CountOf(requests)).OrderAsync(outputs) : outputs;
    }

    private static async IAsyncEnumerable<ChoiceOutput> MergeAsync(
        IEngine engine,
        IReadOnlyList<GenerationRequest> requests,
        RequestDeadline deadline,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (requests.Count == 1)
        {
            var outputs = engine.GenerateAsync(requests[0], cancellationToken);
            using var single = deadline.Abort(engine, requests);
            await foreach (var output in outputs)
            {
                yield return new ChoiceOutput(output.Index, output);
            }

            yield break;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Bounded, so that a client that reads slowly does not make its outputs pile up here.
        var merged = Channel.CreateBounded<ChoiceOutput>(requests.Count);
        var pumps = requests.Select((request, index) => PumpAsync(engine, request, index, merged.Writer, stop.Token)).ToArray();
        using var timeout = deadline.Abort(engine, requests);
        var finished = Task.WhenAll(pumps).ContinueWith(
            all => merged.Writer.TryComplete(all.Exception?.InnerException),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        try
        {
            await foreach (var output in merged.Reader.ReadAllAsync(cancellationToken))
            {
                yield return output;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await finished;
        }
    }

    private static async Task PumpAsync(
        IEngine engine, GenerationRequest request, int index, ChannelWriter<ChoiceOutput> writer, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var output in engine.GenerateAsync(request, cancellationToken))
            {
                await writer.WriteAsync(new ChoiceOutput(index * request.Sampling.N + output.Index, output), cancellationToken);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The first failure ends the response at once; the others are cancelled by the reader.
            writer.TryComplete(exception);
            throw;
        }
    }
}

/// <summary>Collects the outputs of one choice for a response that is not streamed.</summary>
internal sealed class ChoiceText
{
    private readonly StringBuilder _text = new();

    public List<PositionLogprobs> Logprobs { get; } = [];

    public IReadOnlyList<PromptPosition?>? PromptLogprobs { get; private set; }

    /// <summary>Null when there is no such choice: a beam search may find fewer outputs than were asked for.</summary>
    public TokenOutput? Last { get; private set; }

    public string Text => _text.ToString();

    public void Add(TokenOutput output)
    {
        _text.Append(output.Text);
        if (output.Logprobs is { } logprobs)
        {
            Logprobs.AddRange(logprobs);
        }

        PromptLogprobs ??= output.PromptLogprobs;
        Last = output;
    }

    /// <summary>Runs the requests to their ends.</summary>
    /// <exception cref="ApiException">504 when the deadline came first.</exception>
    public static async Task<ChoiceText[]> CollectAsync(
        IEngine engine, IReadOnlyList<GenerationRequest> requests, RequestDeadline deadline, CancellationToken cancellationToken)
    {
        var choices = Enumerable.Range(0, Choices.CountOf(requests)).Select(_ => new ChoiceText()).ToArray();
        await foreach (var (index, output) in Choices.RunAsync(engine, requests, deadline, cancellationToken))
        {
            deadline.ThrowIfEnded(output);
            choices[index].Add(output);
        }

        return choices;
    }
}

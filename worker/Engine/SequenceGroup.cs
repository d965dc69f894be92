using System.Runtime.InteropServices;
using System.Threading.Channels;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>A request inside the engine: its sequences and the channel their outputs leave through. Made by <see cref="LlmEngine"/> on the caller's
/// thread; from then on only the engine's thread touches it, except for <see cref="Outputs"/>.</summary>
/// <remarks>Only the first sequence computes the prompt. When it reaches the prompt's last token, <see cref="Fork"/> makes the others, and all of them
/// sample their first token from the same logits. With <see cref="Beams"/>, the search makes and ends sequences, and all outputs leave at its end.</remarks>
internal sealed class SequenceGroup
{
    private readonly SamplingParameters sampling;
    private readonly CompiledConstraint? constraint;
    private readonly ITokenizer tokenizer;
    private readonly int[] eosTokenIds;
    private readonly int maxModelLength;
    private readonly ulong seed;
    private readonly List<ActiveSequence> sequences = [];
    private readonly Channel<TokenOutput> channel;
    private readonly BestOutputs? best;
    private readonly List<PromptPosition?> promptLogprobs = [null];
    private int delivered;

    /// <param name="request">Validated.</param>
    /// <param name="constraint">Compiled from the request's, if it has one.</param>
    /// <param name="seed">For a request without a seed of its own.</param>
    /// <param name="arrival">Timestamp of the engine's clock.</param>
    public SequenceGroup(GenerationRequest request, CompiledConstraint? constraint, ITokenizer tokenizer, int[] eosTokenIds, int maxModelLength, ulong seed, long arrival)
    {
        Id = request.RequestId;
        Arrival = arrival;
        sampling = request.Sampling;
        this.constraint = constraint;
        this.tokenizer = tokenizer;
        this.eosTokenIds = eosTokenIds;
        this.maxModelLength = maxModelLength;
        this.seed = seed;
        NumUnfinished = sampling.NumSequences;
        best = sampling.NumSequences > sampling.N && sampling.Beams is null ? new BestOutputs(sampling.N) : null;
        var prompt = new Sequence([.. request.PromptTokenIds]) { MayFork = sampling.NumSequences > 1 || sampling.Beams is not null };
        prompt.NumScoredTokens = sampling.PromptLogprobs is null ? prompt.NumScoredTokens : 0;
        sequences.Add(Make(0, prompt));
        Beams = sampling.Beams is { } parameters ? new BeamSearch(sequences[0], sampling, parameters) : null;

        // Bounded in effect: an output a token, max_tokens of them for each sequence. A slow reader must never stall the engine's thread.
        channel = Channel.CreateUnbounded<TokenOutput>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    }

    public string Id { get; }

    public long Arrival { get; }

    /// <summary>Null until the scheduler takes the first sequence.</summary>
    public TimeSpan? QueueTime { get; private set; }

    /// <summary>Null until one of the sequences has a token.</summary>
    public TimeSpan? FirstTokenTime { get; private set; }

    /// <summary>Decides what the sequences are, when likely outputs are searched for; null when they are sampled.</summary>
    public BeamSearch? Beams { get; }

    /// <summary>Those made so far: the first, and after <see cref="Fork"/> all; of beams, those that go on.</summary>
    public IReadOnlyList<ActiveSequence> Sequences => Beams?.Sequences ?? sequences;

    /// <summary>How likely the prompt is; null when not asked for, or not known as a whole.</summary>
    public IReadOnlyList<PromptPosition?>? PromptLogprobs =>
        sampling.PromptLogprobs is not null && promptLogprobs.Count == sequences[0].Sequence.PromptLength ? promptLogprobs : null;

    /// <summary>How many of the likeliest tokens to report in place of each of the prompt's.</summary>
    public int NumPromptLogprobs => sampling.PromptLogprobs ?? 0;

    /// <summary>Sequences that hold a place in the engine, those not made yet included.</summary>
    public int NumUnfinished { get; private set; }

    public bool NeedsFork => Beams is null && sequences.Count < sampling.NumSequences;

    /// <summary>Whether what a sequence is next is decided by its next logits, not by a token alone.</summary>
    public bool IsAboutToFork => NeedsFork || Beams is not null;

    /// <summary>Whether all sequences have ended, whatever each of them says.</summary>
    public bool HasEnded => Failure is not null || Beams?.Outputs is not null;

    /// <summary>Whether outputs are chosen by how likely they are.</summary>
    public bool Ranks => best is not null;

    /// <summary>What went wrong in one sequence ends all of them.</summary>
    public GenerationFailedException? Failure { get; private set; }

    public ChannelReader<TokenOutput> Outputs => channel.Reader;

    /// <summary>Makes the sequences beside the first, which has computed its prompt and sampled nothing yet.</summary>
    public ReadOnlySpan<ActiveSequence> Fork()
    {
        sequences[0].Sequence.MayFork = false;
        for (var index = 1; index < sampling.NumSequences; index++)
        {
            sequences.Add(Make(index, sequences[0].Sequence.Fork()));
        }

        return CollectionsMarshal.AsSpan(sequences)[1..];
    }

    /// <summary>The scheduler has taken the first sequence, perhaps not for the first time.</summary>
    public void Start(TimeProvider time) => QueueTime ??= time.GetElapsedTime(Arrival);

    /// <summary>One of the sequences gets a token, perhaps not the first.</summary>
    public void Continue(TimeProvider time) => FirstTokenTime ??= time.GetElapsedTime(Arrival);

    /// <param name="position">How likely the next prompt token is, from the second on.</param>
    public void AddPromptLogprobs(PromptPosition position) => promptLogprobs.Add(position);

    public void Fail(GenerationFailedException failure) => Failure ??= failure;

    /// <summary>Counts a sequence that has left the engine. The end of the only one made is the end of those that never were; beams end together.</summary>
    public void Retire() => NumUnfinished -= IsAboutToFork ? NumUnfinished : 1;

    /// <summary>Sends what is pending of one of the sequences; completes the channel when the last has ended.</summary>
    public void Deliver(ActiveSequence sequence)
    {
        if (Failure is not null)
        {
            channel.Writer.TryComplete(Failure);
            return;
        }

        var output = sequence.Pending!;
        Send(sequence, output);
        if (output.FinishReason is null)
        {
            sequence.Delivered();
            return;
        }

        for (var index = 1; NeedsFork && index < sampling.N; index++)
        {
            channel.Writer.TryWrite(output with { Index = index });
        }

        if (++delivered == (Beams?.Outputs!.Count ?? sequences.Count))
        {
            foreach (var chosen in best?.Take() ?? [])
            {
                channel.Writer.TryWrite(chosen);
            }

            channel.Writer.TryComplete();
        }
    }

    /// <summary>Ends the request because the engine died.</summary>
    public void Kill(EngineUnavailableException death) => channel.Writer.TryComplete(death);

    private void Send(ActiveSequence sequence, TokenOutput output)
    {
        if (best is null || NeedsFork)
        {
            channel.Writer.TryWrite(output);
        }
        else
        {
            best.Add(output, sequence.CumulativeLogprob);
        }
    }

    private ActiveSequence Make(int index, Sequence sequence)
    {
        var own = index == 0 || sampling.Seed is not { } given ? sampling : sampling with { Seed = unchecked(given + index) };
        var drawn = index == 0 ? seed : CounterRandom.Bits(seed, (ulong)index);
        return new ActiveSequence(this, index, sequence, own, constraint, tokenizer, eosTokenIds, maxModelLength, drawn);
    }
}

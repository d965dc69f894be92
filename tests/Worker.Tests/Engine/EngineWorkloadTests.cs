using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Random workloads on engines with little memory and small budgets. <see cref="FakeModelRunner"/> throws when a step reads a slot
/// that does not hold what it should, and otherwise turns any mistake into different tokens.</summary>
[Trait(Category.Name, Category.Long)]
public class EngineWorkloadTests
{
    internal const int Vocab = 48;
    internal const int Eos = 47;

    [Theory(Timeout = 60_000)]
    [InlineData(false, 1)]
    [InlineData(false, 4)]
    [InlineData(true, 1)]
    [InlineData(true, 3)]
    public async Task Every_request_gets_what_it_would_get_alone(bool background, int stepsPerPlan)
    {
        var preemptions = 0L;
        var hits = 0L;
        var chunks = 0;
        var copies = 0;
        var aborts = 0;
        await using var alone = new LlmEngine(
            new FakeModelRunner(Vocab, 16, 64, Workload.MaxModelLength),
            new ByteTokenizer(),
            new EngineOptions { MaxNumSeqs = 1, EnablePrefixCaching = false, EosTokenIds = [Eos] },
            TimeProvider.System);
        for (var seed = 0; seed < 150; seed++)
        {
            var workload = Workload.Random(seed);
            workload.Background = background;
            workload.Options = workload.Options with { NumSchedulerSteps = stepsPerPlan };
            var expected = await Task.WhenAll(workload.Requests.Select(request => AloneAsync(alone, request)));
            var (actual, statistics, runner) = await workload.RunAsync();

            for (var i = 0; i < expected.Length; i++)
            {
                AssertSame(expected[i], actual[i], workload.Requests[i], $"seed {seed}, request {i}");
                aborts += actual[i]?[0].Last.FinishReason == FinishReason.Abort ? 1 : 0;
            }

            copies += runner.BlocksCopied;

            Assert.Equal((0, 0, 0.0), (statistics.Running, statistics.Waiting, statistics.KvCacheUsage));
            Assert.True(runner.LargestStep <= workload.Options.MaxNumBatchedTokens, $"a step of {runner.LargestStep} tokens");
            preemptions += statistics.Preemptions;
            hits += statistics.PrefixCacheHits;
            chunks += workload.Requests.Count(request => request.PromptTokenIds.Count > workload.Options.MaxNumBatchedTokens);
            if (!workload.Options.EnablePrefixCaching)
            {
                Assert.Equal((0, 0), (statistics.PrefixCacheQueries, statistics.PrefixCacheHits));
            }
        }

        // The workloads are random; these say that they were not too easy.
        Assert.True(preemptions > 200, $"{preemptions} preemptions");
        Assert.True(hits > 1000, $"{hits} hits");
        Assert.True(chunks > 100, $"{chunks} chunked prompts");
        Assert.True(copies > 200, $"{copies} blocks copied");
        Assert.True(aborts > 50, $"{aborts} aborts");
    }

    /// <summary>Each sequence as a request of its own; of those that are ranked, the likeliest.</summary>
    internal static async Task<Generation[]> AloneAsync(LlmEngine engine, GenerationRequest request)
    {
        var sampling = request.Sampling;
        if (sampling.Beams is not null)
        {
            return await Generation.CollectAllAsync(engine.GenerateAsync(request, CancellationToken.None));
        }

        var generations = new List<Generation>();
        for (var i = 0; i < sampling.NumSequences; i++)
        {
            var own = sampling with { N = 1, BestOf = null, Seed = sampling.Seed + i, Logprobs = sampling.Logprobs ?? 0 };
            generations.Add(
                await Generation.CollectAsync(
                    engine.GenerateAsync(
                        new GenerationRequest($"{request.RequestId} {i}", request.PromptTokenIds, own), CancellationToken.None)));
        }

        return sampling.BestOf > sampling.N
            ? [.. generations.OrderByDescending(generation => generation.Logprobs.Sum(logprobs => (double)logprobs.Sampled.Logprob))
                .Take(sampling.N)]
            : [.. generations];
    }

    /// <summary>Compares all sequences of a request with what they give alone.</summary>
    internal static void AssertSame(Generation[] expected, Generation[]? actual, GenerationRequest request, string where)
    {
        var ranked = request.Sampling is not { BestOf: null, Beams: null };
        if (ranked && actual?.Any(generation => generation.Last.FinishReason == FinishReason.Abort) == true)
        {
            // What was whole when the others were cut off has another rank among them.
            return;
        }

        for (var sequence = 0; sequence < expected.Length; sequence++)
        {
            AssertSame(expected[sequence], actual?.ElementAtOrDefault(sequence), $"{where}, sequence {sequence}");
        }
    }

    private static void AssertSame(Generation expected, Generation? actual, string where)
    {
        if (actual is null)
        {
            // Cancelled: its reader has nothing to compare.
            return;
        }

        Assert.True(
            actual.PromptNumbers is null || expected.PromptNumbers!.SequenceEqual(actual.PromptNumbers),
            $"{where}: log-probabilities of the prompt");
        if (actual.Last.FinishReason == FinishReason.Abort)
        {
            Assert.True(expected.TokenIds.AsSpan().StartsWith(actual.TokenIds), where);
            return;
        }

        Assert.True(
            expected.TokenIds.AsSpan().SequenceEqual(actual.TokenIds),
            $"{where}: {string.Join(' ', expected.TokenIds)} ≠ {string.Join(' ', actual.TokenIds)}");
        Assert.Equal(expected.Text, actual.Text);
        Assert.Equal(expected.Last.FinishReason, actual.Last.FinishReason);
        Assert.Equal(expected.Last.StopReason, actual.Last.StopReason);
        Assert.Equal(expected.PromptNumbers is null, actual.PromptNumbers is null);
        if (actual.Logprobs.Length > 0)
        {
            Assert.Equal(expected.Logprobs.Select(logprobs => logprobs.Sampled), actual.Logprobs.Select(logprobs => logprobs.Sampled));
        }
    }

    /// <summary>Requests with the steps at which they arrive and end early.</summary>
    internal sealed class Workload
    {
        public const int MaxModelLength = 48;

        private readonly Lock _gate = new();
        private int _submitted;

        public required EngineOptions Options { get; set; }

        public required int BlockSize { get; init; }

        public required int NumBlocks { get; set; }

        public required GenerationRequest[] Requests { get; set; }

        /// <summary>Changes the model; see <see cref="FakeModelRunner.OnLogits"/>.</summary>
        public Action<int[], float[]>? OnLogits { get; set; }

        public IDraftProposer? Proposer { get; set; }

        public int? MaxLogits { get; set; }

        /// <summary>Groups of the model's layers; memory for them is as short as without.</summary>
        public KvGroups Groups
        {
            get;
            set
            {
                var spare = NumBlocks - BlocksFor(field);
                field = value;
                NumBlocks = (int)BlocksFor(value) + (int)spare * value.Count;
            }
        } = KvGroups.One;

        /// <summary>Steps are computed on a thread of their own, so that the engine plans and delivers meanwhile.</summary>
        public bool Background { get; set; }

        /// <summary>By request, rising: the step in which it arrives.</summary>
        public required int[] Arrivals { get; init; }

        /// <summary>By request: the step in which it is aborted (even) or its token cancelled (odd); int.MaxValue for never.</summary>
        public required int[] Ends { get; init; }

        public static Workload Random(int seed)
        {
            var random = new Random(seed);
            var blockSize = random.Next(1, 9);
            var chunked = random.Next(4) > 0;
            var budget = chunked ? random.Next(9, 40) : MaxModelLength + random.Next(10);
            var count = random.Next(1, 20);
            var shared = Tokens(random, MaxModelLength);
            return new Workload
            {
                BlockSize = blockSize,
                NumBlocks = (MaxModelLength + blockSize - 1) / blockSize + random.Next(4),
                Options = new EngineOptions
                {
                    MaxNumSeqs = random.Next(1, 12),
                    MaxNumBatchedTokens = budget,
                    EnableChunkedPrefill = chunked,
                    EnablePrefixCaching = random.Next(3) > 0,
                    EosTokenIds = [Eos],
                },
                Requests = [
                    .. Enumerable.Range(0, count)
                        .Select(i => new GenerationRequest($"request {i}", Prompt(random, shared), Sampling(random, i)))],
                Arrivals = [.. Enumerable.Range(0, count).Select(_ => random.Next(12)).Order()],
                Ends = [.. Enumerable.Range(0, count).Select(_ => random.Next(5) == 0 ? random.Next(60) : int.MaxValue)],
            };
        }

        /// <summary>Arrivals and ends happen inside the launch of their step, so a workload runs the same way each time.</summary>
        public async Task<(Generation[]?[] Generations, EngineStatistics Statistics, FakeModelRunner Runner)> RunAsync()
        {
            var runner = new FakeModelRunner(
                Vocab, BlockSize, NumBlocks, MaxModelLength, Options.MaxNumBatchedTokens, maxSequences: 9, MaxLogits, Groups)
            { OnLogits = OnLogits };
            await using var engine = new LlmEngine(
                Background ? new BackgroundRunner(runner) : runner, new ByteTokenizer(), Options, TimeProvider.System, Proposer);
            var tasks = new Task<Generation[]?>[Requests.Length];
            var cancellations = Requests.Select(_ => new CancellationTokenSource()).ToArray();

            void Submit()
            {
                tasks[_submitted] = ReadAsync(engine, Requests[_submitted], cancellations[_submitted].Token);
                _submitted++;
            }

            runner.OnLaunch = _ =>
            {
                lock (_gate)
                {
                    for (var i = 0; i < _submitted; i++)
                    {
                        if (Ends[i] == runner.Steps && Ends[i] % 2 == 0)
                        {
                            engine.Abort(Requests[i].RequestId);
                        }
                        else if (Ends[i] == runner.Steps)
                        {
                            cancellations[i].Cancel();
                        }
                    }

                    while (_submitted < Requests.Length && Arrivals[_submitted] <= runner.Steps)
                    {
                        Submit();
                    }
                }
            };

            while (true)
            {
                Task[] running;
                lock (_gate)
                {
                    if (_submitted < Requests.Length && tasks.Take(_submitted).All(task => task.IsCompleted))
                    {
                        Submit();
                    }

                    running = tasks[.._submitted];
                }

                await Task.WhenAll(running);
                lock (_gate)
                {
                    if (_submitted == Requests.Length && tasks.All(task => task.IsCompleted))
                    {
                        break;
                    }
                }
            }

            await engine.DrainAsync(TimeSpan.FromSeconds(30));
            return ([.. tasks.Select(task => task.Result)], engine.Statistics, runner);
        }

        private long BlocksFor(KvGroups groups) => groups.BlocksFor(MaxModelLength, Options.MaxNumBatchedTokens, BlockSize);

        private static async Task<Generation[]?> ReadAsync(LlmEngine engine, GenerationRequest request, CancellationToken cancellationToken)
        {
            try
            {
                return await Generation.CollectAllAsync(engine.GenerateAsync(request, cancellationToken));
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }

        private static int[] Prompt(Random random, int[] shared)
        {
            var length = random.Next(1, MaxModelLength - 1);
            var prompt = Tokens(random, length);
            shared.AsSpan(0, random.Next(length + 1)).CopyTo(prompt);
            return random.Next(4) == 0 ? shared[..length] : prompt;
        }

        private static int[] Tokens(Random random, int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(Vocab))];

        private static SamplingParameters Sampling(Random random, int request)
        {
            var n = random.Next(3) == 0 ? random.Next(1, 5) : 1;
            var sampling = Sampling(random, request, n) with { BestOf = random.Next(8) == 0 ? n + random.Next(3) : null };
            return request % 7 == 3
                ? sampling with
                {
                    Temperature = 0,
                    TopK = 0,
                    TopP = 1,
                    BestOf = n + request % 5,
                    Beams = new BeamParameters(request % 3, (EarlyStopping)(request / 7 % 3))
                }
                : sampling with { PromptLogprobs = request % 4 == 1 ? request % 3 : null };
        }

        private static SamplingParameters Sampling(Random random, int request, int n) => new()
        {
            N = n,
            Temperature = random.Next(2) == 0 ? 0 : 0.5f + (float)random.NextDouble(),
            Seed = 100 * request,
            TopK = random.Next(3) == 0 ? random.Next(1, 20) : 0,
            TopP = random.Next(3) == 0 ? 0.8f : 1,
            PresencePenalty = random.Next(3) == 0 ? 1 : 0,
            RepetitionPenalty = random.Next(3) == 0 ? 1.2f : 1,
            MaxTokens = random.Next(4) == 0 ? null : random.Next(1, 30),
            IgnoreEos = random.Next(2) == 0,
            Stop = random.Next(3) == 0
                ? [((char)random.Next(Vocab)).ToString() + (char)random.Next(Vocab), ((char)random.Next(Vocab)).ToString()]
                : [],
            StopTokenIds = random.Next(3) == 0 ? [random.Next(Vocab)] : [],
            Logprobs = random.Next(3) == 0 ? random.Next(4) : null,
        };
    }
}

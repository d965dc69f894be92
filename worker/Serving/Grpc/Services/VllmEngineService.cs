using System.Runtime.CompilerServices;
using Cluster.Worker.Engine;
using Cluster.Worker.Protos.Vllm;
using Cluster.Worker.Serving.Relaying;
using Grpc.Core;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>vllm.grpc.engine.VllmEngine</c>: tokens in, tokens out, for gateways that tokenize themselves.</summary>
/// <remarks>A stream is a chunk for each engine output that has tokens, then a <c>complete</c> that repeats all ids: a client that only
/// wants the whole reads the last message, with or without <c>stream</c>.</remarks>
internal sealed class VllmEngineService(ServingState state, TimeProvider time) : VllmEngine.VllmEngineBase
{
    private long _lastReceivedUnixMilliseconds;

    public override Task Generate(
        GenerateRequest request, IServerStreamWriter<GenerateResponse> responseStream, ServerCallContext context) =>
        responseStream.WriteAllAsync(GenerateAsync(request, context));

    public override Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context) =>
        throw CallFailures.Error(StatusCode.Unimplemented, "this worker serves generative models; it makes no embeddings");

    public override Task<HealthCheckResponse> HealthCheck(HealthCheckRequest request, ServerCallContext context) => Task.FromResult(
        new HealthCheckResponse { Healthy = state.IsReady, Message = state.WhyNotReady() ?? "ready" });

    public override Task<AbortResponse> Abort(AbortRequest request, ServerCallContext context)
    {
        var engine = state.RequireLoaded().Engine;
        foreach (var id in request.RequestIds)
        {
            engine.Abort(id);
        }

        return Task.FromResult(new AbortResponse());
    }

    public override Task<GetModelInfoResponse> GetModelInfo(GetModelInfoRequest request, ServerCallContext context)
    {
        var model = state.RequireLoaded();
        return Task.FromResult(new GetModelInfoResponse
        {
            ModelPath = model.Path,
            IsGeneration = true,
            MaxContextLength = (uint)model.Engine.MaxModelLength,
            VocabSize = (uint)model.Engine.VocabSize,
            SupportsVision = false,
        });
    }

    public override Task<GetServerInfoResponse> GetServerInfo(GetServerInfoRequest request, ServerCallContext context)
    {
        var statistics = state.Model?.Engine.Statistics;
        return Task.FromResult(new GetServerInfoResponse
        {
            ActiveRequests = statistics is null ? 0 : (uint)(statistics.Running + statistics.Waiting),
            IsPaused = state.IsDraining,
            LastReceiveTimestamp = Interlocked.Read(ref _lastReceivedUnixMilliseconds) / 1000.0,
            UptimeSeconds = state.Uptime.TotalSeconds,
            ServerType = "cluster-worker",
        });
    }

    private IAsyncEnumerable<GenerateResponse> GenerateAsync(GenerateRequest request, ServerCallContext context)
    {
        var model = state.RequireReady();
        Interlocked.Exchange(ref _lastReceivedUnixMilliseconds, time.GetUtcNow().ToUnixTimeMilliseconds());
        var envelope = GrpcEnvelope.Read(request.ClusterEnvelope, context, model);
        var generation = ToEngine(request, model, envelope);
        return RunAsync(request, model.Engine, generation, context.CancellationToken).Undelivered(request.Stream ? envelope : null);
    }

    private async IAsyncEnumerable<GenerateResponse> RunAsync(
        GenerateRequest request, IEngine engine, GenerationRequest generation,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var generated = new List<uint>();
        await foreach (var output in Generation.RunAsync(state, engine, generation, cancellationToken))
        {
            var tokens = output.TokenIds.Select(id => (uint)id);
            generated.AddRange(tokens);
            if (request.Stream && output.TokenIds.Count > 0)
            {
                yield return new GenerateResponse
                {
                    Chunk = new GenerateStreamChunk
                    {
                        TokenIds = { tokens },
                        PromptTokens = (uint)output.PromptTokens,
                        CompletionTokens = (uint)output.CompletionTokens,
                        CachedTokens = (uint)output.CachedTokens,
                    },
                };
            }

            if (output.FinishReason is { } reason)
            {
                yield return new GenerateResponse
                {
                    Complete = new GenerateComplete
                    {
                        OutputIds = { generated },
                        FinishReason = Spell(reason),
                        PromptTokens = (uint)output.PromptTokens,
                        CompletionTokens = (uint)output.CompletionTokens,
                        CachedTokens = (uint)output.CachedTokens,
                    },
                };
            }
        }
    }

    private static GenerationRequest ToEngine(GenerateRequest request, ServedModel model, Envelope? envelope)
    {
        if (request.HasMmInputs)
        {
            throw new InvalidRequestException("mm_inputs is set; this worker takes no multimodal input", "mm_inputs");
        }

        var wire = request.SamplingParams ?? new SamplingParams();
        var kept = VllmSampling.Kept(wire, model.Engine.MaxModelLength);
        var prompt = request.InputCase switch
        {
            GenerateRequest.InputOneofCase.Tokenized =>
                WireNumber.ToTokenIds(request.Tokenized.InputIds, model.Engine.VocabSize, "input_ids"),
            GenerateRequest.InputOneofCase.Text => PromptEncoding.Encode(model, request.Text, addSpecialTokens: true, "text", kept),
            _ => throw new InvalidRequestException("the request has no input; set tokenized or text", "input"),
        };
        if (prompt.Count == 0)
        {
            throw new InvalidRequestException("the prompt has no tokens; at least one is needed", "input");
        }

        var generation = new GenerationRequest(
            request.RequestId.Length > 0 ? request.RequestId : Generation.DrawRequestId(),
            PromptTruncation.Apply(prompt, kept),
            VllmSampling.Map(wire, model.Engine.VocabSize, model.Defaults))
        {
            CacheSalt = envelope?.CacheSalt,
        };
        return envelope is null ? generation : Relay.Of(generation, envelope, prompt: 0, request.Stream, leadingEvents: 0);
    }

    private static string Spell(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => "abort",
    };
}

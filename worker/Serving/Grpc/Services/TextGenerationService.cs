using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Serving.Relaying;
using Cluster.Worker.Tokenization;
using Grpc.Core;
using FinishReason = Cluster.Worker.Protos.V1.FinishReason;
using PositionLogprobs = Cluster.Worker.Protos.V1.PositionLogprobs;
using TokenLogprob = Cluster.Worker.Protos.V1.TokenLogprob;

namespace Cluster.Worker.Serving.Grpc.Services;

/// <summary><c>cluster.v1.TextGeneration</c>: text in, text out.</summary>
internal sealed class TextGenerationService(ServingState state) : TextGeneration.TextGenerationBase
{
    private const string RequestIdKey = "x-request-id";

    /// <summary>Bounds what one call may hold of the engine's queue.</summary>
    private const int MaxBatch = 1024;

    public override Task<GenerateResponse> Generate(GenerateRequest request, ServerCallContext context) =>
        GenerateAsync(request, context, context.CancellationToken);

    public override Task GenerateStream(
        GenerateRequest request, IServerStreamWriter<GenerateStreamResponse> responseStream, ServerCallContext context) =>
        responseStream.WriteAllAsync(GenerateStreamAsync(request, context, isStreamed: true, context.CancellationToken));

    public override Task GenerateBatch(
        GenerateBatchRequest request, IServerStreamWriter<GenerateBatchResponse> responseStream, ServerCallContext context) =>
        responseStream.WriteAllAsync(GenerateBatchAsync(request, context, context.CancellationToken));

    public override Task<TokenizeResponse> Tokenize(TokenizeRequest request, ServerCallContext context)
    {
        var model = RequireModel(request.Model);
        var ids = request.InputCase switch
        {
            TokenizeRequest.InputOneofCase.Text =>
                PromptEncoding.Count(model, request.Text, !request.HasAddSpecialTokens || request.AddSpecialTokens, "text"),
            TokenizeRequest.InputOneofCase.Chat =>
                PromptEncoding.Count(model, Render(request.Chat, model), request.AddSpecialTokens, "chat"),
            _ => throw new InvalidRequestException("the request has no input; set text or chat", "input"),
        };
        return Task.FromResult(new TokenizeResponse
        {
            TokenIds = { ids.Select(id => (uint)id) },
            Tokens = { ids.Select(id => model.Tokenizer.IdToToken(id) ?? "") },
            MaxModelLength = (uint)model.Engine.MaxModelLength,
        });
    }

    public override Task<DetokenizeResponse> Detokenize(DetokenizeRequest request, ServerCallContext context)
    {
        var model = RequireModel(request.Model);
        var ids = WireNumber.ToTokenIds(request.TokenIds, model.Tokenizer.VocabSize, "token_ids");
        return Task.FromResult(new DetokenizeResponse { Text = model.Tokenizer.Decode(ids, request.SkipSpecialTokens) });
    }

    /// <summary>The last <c>x-request-id</c> the call came with. Of the header itself: the library's metadata would decode every other
    /// entry, too.</summary>
    private static string? TraceOf(ServerCallContext context) =>
        context.GetHttpContext().Request.Headers[RequestIdKey] is [.., var last] ? last : null;

    private async Task<GenerateResponse> GenerateAsync(
        GenerateRequest request, ServerCallContext context, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var reasoning = new StringBuilder();
        var response = new GenerateResponse();
        await foreach (var part in GenerateStreamAsync(request, context, isStreamed: false, cancellationToken))
        {
            text.Append(part.Text);
            reasoning.Append(part.Reasoning);
            response.TokenIds.Add(part.TokenIds);
            response.Logprobs.Add(part.Logprobs);
            response.PromptLogprobs.Add(part.PromptLogprobs);
            response.RequestId = part.RequestId;
            response.Model = part.Model;
            response.FinishReason = part.FinishReason;
            response.Usage = part.Usage;
            if (part.HasStopReason)
            {
                response.StopReason = part.StopReason;
            }
        }

        response.Text = text.ToString();
        response.Reasoning = reasoning.ToString();
        return response;
    }

    private IAsyncEnumerable<GenerateStreamResponse> GenerateStreamAsync(
        GenerateRequest request, ServerCallContext context, bool isStreamed, CancellationToken cancellationToken)
    {
        var model = RequireModel(request.Model);
        var envelope = GrpcEnvelope.Read(request.ClusterEnvelope, context, model);
        var prompt = Prompt(request, model, envelope);
        var sampling = TextGenerationSampling.Map(request.Sampling ?? new SamplingParams(), model.Engine.VocabSize, model.Defaults);
        var plan = request.InputCase == GenerateRequest.InputOneofCase.Chat
            ? new OutputPlan(model.Formats, model.Tokenizer, CallDemand.None, prompt, isContinued: false)
            : null;
        var id = RequestId(request, TraceOf(context), envelope);
        var generation = new GenerationRequest(id, prompt, plan?.Sampling(sampling) ?? sampling)
        {
            Priority = request.Priority,
            CacheSalt = envelope?.CacheSalt ?? (request.HasCacheSalt ? request.CacheSalt : null),
        };
        if (envelope is not null)
        {
            generation = Relay.Of(generation, envelope, prompt: 0, isStreamed, leadingEvents: 0) with
            {
                RequestId = request.RequestId.Length > 0 ? id : GrpcEnvelope.EngineId(id),
            };
        }

        return RunAsync(model, generation, id, plan?.CreateParser(), cancellationToken).Undelivered(isStreamed ? envelope : null);
    }

    private async IAsyncEnumerable<GenerateStreamResponse> RunAsync(
        ServedModel model, GenerationRequest generation, string id, OutputParser? parser,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var output in Generation.RunAsync(state, model.Engine, generation, cancellationToken))
        {
            yield return TakenApart(ToWire(output, id, model), output, parser);
        }
    }

    private async IAsyncEnumerable<GenerateBatchResponse> GenerateBatchAsync(
        GenerateBatchRequest batch,
        ServerCallContext context,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (batch.Requests.Count is 0 or > MaxBatch)
        {
            throw new InvalidRequestException($"requests has {batch.Requests.Count} of them; possible are 1 to {MaxBatch}", "requests");
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var answers = batch.Requests.Select((request, index) => AnswerAsync(request, index, context, stop.Token)).ToArray();
        try
        {
            await foreach (var answer in Task.WhenEach(answers).WithCancellation(cancellationToken))
            {
                yield return await answer;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)Task.WhenAll(answers)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<GenerateBatchResponse> AnswerAsync(
        GenerateRequest request, int index, ServerCallContext context, CancellationToken cancellationToken)
    {
        var answer = new GenerateBatchResponse { Index = (uint)index };
        try
        {
            if (!request.ClusterEnvelope.IsEmpty)
            {
                throw new InvalidRequestException("cluster_envelope is set; requests of a batch have none", "cluster_envelope");
            }

            answer.Response = await GenerateAsync(request, context, cancellationToken);
        }
        catch (Exception exception) when (CallFailures.StatusOf(exception) is { } failure)
        {
            answer.Failure = new Failure { Code = (int)failure.StatusCode, Message = failure.Detail };
        }

        return answer;
    }

    /// <summary>A chat's answer without the thinking before it, which stands by itself.</summary>
    private static GenerateStreamResponse TakenApart(GenerateStreamResponse response, TokenOutput output, OutputParser? parser)
    {
        if (parser is null)
        {
            return response;
        }

        var pieces = parser.Add(output.Text, ended: output.FinishReason is not null);
        response.Text = string.Concat(pieces.Where(piece => piece.Kind == PieceKind.Content).Select(piece => piece.Text));
        response.Reasoning = string.Concat(pieces.Where(piece => piece.Kind == PieceKind.Reasoning).Select(piece => piece.Text));
        return response;
    }

    private static GenerateStreamResponse ToWire(TokenOutput output, string requestId, ServedModel model)
    {
        var response = new GenerateStreamResponse
        {
            RequestId = requestId,
            Model = model.Name,
            Text = output.Text,
            TokenIds = { output.TokenIds.Select(id => (uint)id) },
            FinishReason = output.FinishReason switch
            {
                null => FinishReason.Unspecified,
                Engine.FinishReason.Stop => FinishReason.Stop,
                Engine.FinishReason.Length => FinishReason.Length,
                _ => FinishReason.Abort,
            },
            Usage = new Usage
            {
                PromptTokens = (uint)output.PromptTokens,
                CompletionTokens = (uint)output.CompletionTokens,
                CachedTokens = (uint)output.CachedTokens,
            },
        };
        if (output.StopReason is { } stop)
        {
            response.StopReason = stop;
        }

        if (output.Logprobs is { } logprobs)
        {
            response.Logprobs.Add(logprobs.Select(position => new PositionLogprobs
            {
                Sampled = ToWire(position.Sampled, model.Tokenizer),
                Top = { position.Top.Select(token => ToWire(token, model.Tokenizer)) },
            }));
        }

        foreach (var position in output.PromptLogprobs?.OfType<Engine.PromptPosition>() ?? [])
        {
            response.PromptLogprobs.Add(new PromptLogprobs
            {
                Token = ToWire(position.Logprobs.Sampled, model.Tokenizer),
                Rank = (uint)position.Rank,
                Top = { position.Logprobs.Top.Select(token => ToWire(token, model.Tokenizer)) },
            });
        }

        return response;
    }

    private static TokenLogprob ToWire(Engine.TokenLogprob token, ITokenizer tokenizer) => new()
    {
        TokenId = (uint)token.TokenId,
        Text = TokenText.Of(tokenizer, token.TokenId),
        Logprob = token.Logprob,
    };

    private ServedModel RequireModel(string name)
    {
        var model = state.RequireReady();
        return name.Length == 0 || model.Names.Contains(name)
            ? model
            : throw CallFailures.Error(StatusCode.NotFound, $"model '{name}' is not served here; served: {string.Join(", ", model.Names)}");
    }

    /// <summary>A proxy repeats its x-request-id when it retries, so that alone would not be unique.</summary>
    private static string RequestId(GenerateRequest request, string? trace, Envelope? envelope) =>
        request.RequestId.Length > 0 ? request.RequestId
        : trace is { Length: > 0 } ? Generation.DrawRequestId(trace, envelope?.Id)
        : Generation.DrawRequestId(drawn: envelope?.Id);

    private static IReadOnlyList<int> Prompt(GenerateRequest request, ServedModel model, Envelope? envelope)
    {
        // A chat template writes the special tokens itself.
        var prompt = request.InputCase switch
        {
            GenerateRequest.InputOneofCase.Prompt => PromptEncoding.Encode(model, request.Prompt, addSpecialTokens: true, "prompt"),
            GenerateRequest.InputOneofCase.TokenIds => WireNumber.ToTokenIds(request.TokenIds.Ids, model.Engine.VocabSize, "token_ids"),
            GenerateRequest.InputOneofCase.Chat =>
                PromptEncoding.Encode(model, Render(request.Chat, model, envelope?.Now), addSpecialTokens: false, "chat"),
            _ => throw new InvalidRequestException("the request has no input; set prompt, token_ids or chat", "input"),
        };
        return prompt.Count > 0
            ? prompt
            : throw new InvalidRequestException("the prompt has no tokens; at least one is needed", "input");
    }

    private static string Render(Conversation chat, ServedModel model, DateTimeOffset? now = null)
    {
        var template = model.ChatTemplate
            ?? throw CallFailures.Error(
                StatusCode.FailedPrecondition, $"model '{model.Name}' has no chat template; send plain text instead");
        if (chat.Messages.Count == 0)
        {
            throw new InvalidRequestException("chat has no messages; at least one is needed", "chat");
        }

        var messages = new JsonArray(
            [.. chat.Messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]);
        return template.Render(messages, tools: null, addGenerationPrompt: true, now: now);
    }
}

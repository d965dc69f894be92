using Cluster.Operator.Gateway.Http;
using Google.Protobuf;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary>The methods that generate, and what the gateway reads of their messages.</summary>
internal static class GrpcMethods
{
    public const string Text = "/cluster.v1.TextGeneration/";
    public const string Vllm = "/vllm.grpc.engine.VllmEngine/";

    public const string Generate = Text + "Generate";
    public const string GenerateStream = Text + "GenerateStream";
    public const string VllmGenerate = Vllm + "Generate";
    public const string VllmAbort = Vllm + "Abort";

    /// <summary>Field of both request messages that only a gateway may set.</summary>
    public const int EnvelopeField = 15000;

    private const int BytesPerToken = 4;
    private const int LikelyTokens = 256;

    /// <summary>What the gateway must know of a request.</summary>
    /// <exception cref="GatewayException">It is no request, or has what only a gateway may send.</exception>
    public static RequestFacts Read(string method, byte[] message)
    {
        try
        {
            return method == VllmGenerate ? ReadVllm(message) : ReadText(message);
        }
        catch (InvalidProtocolBufferException wrong)
        {
            throw GatewayException.BadRequest($"the message is no GenerateRequest: {wrong.Message}");
        }
    }

    /// <summary>The model that another request of ours is for; null where it names none.</summary>
    public static string? ModelOf(string method, byte[] message)
    {
        if (!method.StartsWith(Text, StringComparison.Ordinal))
        {
            return null;
        }

        string? model = null;
        try
        {
            ProtoFields.Visit(message, (field, type, input) =>
            {
                if (field != 1 || type != WireFormat.WireType.LengthDelimited)
                {
                    return false;
                }

                // A batch's first field is a whole request, which begins with its model.
                model = method == Text + "GenerateBatch" ? model ?? ModelOf(Generate, input.ReadBytes().ToByteArray()) : input.ReadString();
                return true;
            });
        }
        catch (InvalidProtocolBufferException wrong)
        {
            throw GatewayException.BadRequest($"the message cannot be read: {wrong.Message}");
        }

        return string.IsNullOrEmpty(model) ? null : model;
    }

    /// <summary>What a message of an answer has generated, and how much of the prompt was cached, where it says so.</summary>
    public static (List<int> Tokens, int? Cached) ReadAnswer(string method, byte[] message)
    {
        List<int> tokens = [];
        int? cached = null;
        if (method == VllmGenerate)
        {
            // chunk = 1 {token_ids = 1, cached_tokens = 4}; complete = 2 repeats all tokens, unless it is the only message.
            ProtoFields.Visit(message, (field, _, input) =>
            {
                if (field is not (1 or 2))
                {
                    return false;
                }

                ProtoFields.Visit(input.ReadBytes().ToByteArray(), (inner, type, value) =>
                {
                    if (field == 1 && inner == 1)
                    {
                        ProtoFields.ReadNumbers(type, value, tokens);
                        return true;
                    }

                    if (inner == (field == 1 ? 4 : 5))
                    {
                        cached = (int)value.ReadUInt32();
                        return true;
                    }

                    return false;
                });
                return true;
            });
            return (tokens, cached);
        }

        // GenerateStreamResponse: token_ids = 4; usage = 8 {cached_tokens = 3}.
        ProtoFields.Visit(message, (field, type, input) =>
        {
            if (field == 4)
            {
                ProtoFields.ReadNumbers(type, input, tokens);
                return true;
            }

            if (field != 8)
            {
                return false;
            }

            cached ??= 0;
            ProtoFields.Visit(input.ReadBytes().ToByteArray(), (inner, _, value) =>
            {
                if (inner == 3)
                {
                    cached = (int)value.ReadUInt32();
                    return true;
                }

                return false;
            });
            return true;
        });
        return (tokens, cached);
    }

    /// <summary>model = 1; prompt = 3, token_ids = 4, chat = 5; sampling = 6 {max_tokens = 10}; cache_salt = 8.</summary>
    private static RequestFacts ReadText(byte[] message)
    {
        string? model = null, salt = null;
        byte[] prompt = [];
        var most = LikelyTokens;
        ProtoFields.Visit(message, (field, _, input) =>
        {
            switch (field)
            {
                case 1:
                    model = input.ReadString();
                    return true;
                case 3 or 4 or 5:
                    prompt = [(byte)field, .. input.ReadBytes().Span];
                    return true;
                case 6:
                    most = Number(input.ReadBytes().ToByteArray(), 10) ?? most;
                    return true;
                case 8:
                    salt = input.ReadString();
                    return true;
                case EnvelopeField:
                    throw Internal();
                default:
                    return false;
            }
        });
        return Facts(string.IsNullOrEmpty(model) ? null : model, prompt, most, salt);
    }

    /// <summary>tokenized = 2, text = 3; sampling_params = 4 {max_tokens = 8}.</summary>
    private static RequestFacts ReadVllm(byte[] message)
    {
        byte[] prompt = [];
        var most = LikelyTokens;
        ProtoFields.Visit(message, (field, _, input) =>
        {
            switch (field)
            {
                case 2 or 3:
                    prompt = [(byte)field, .. input.ReadBytes().Span];
                    return true;
                case 4:
                    most = Number(input.ReadBytes().ToByteArray(), 8) ?? most;
                    return true;
                case EnvelopeField:
                    throw Internal();
                default:
                    return false;
            }
        });
        return Facts(null, prompt, most, null);
    }

    private static GatewayException Internal() =>
        GatewayException.Forbidden($"field {EnvelopeField} is between gateway and workers; clients may not send it", "internal_field");

    private static RequestFacts Facts(string? model, byte[] prompt, int most, string? salt) =>
        new(model, Stream: true, prompt, Math.Max(1, prompt.Length / BytesPerToken), most, Sequences: 1, salt);

    private static int? Number(byte[] message, int wanted)
    {
        int? number = null;
        ProtoFields.Visit(message, (field, type, input) =>
        {
            if (field != wanted || type != WireFormat.WireType.Varint)
            {
                return false;
            }

            number = (int)Math.Min(int.MaxValue, input.ReadUInt32());
            return true;
        });
        return number;
    }
}

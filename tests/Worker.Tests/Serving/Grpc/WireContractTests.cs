using Cluster.Worker.Protos.Vllm;
using Google.Protobuf.Reflection;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>Field numbers and types other programs are compiled against; written down here a second time, so that nobody changes them by
/// accident.</summary>
public sealed class WireContractTests
{
    [Theory]
    [InlineData(
        "GenerateRequest",
        "1 request_id String, 2 tokenized Message, 3 text String, 4 sampling_params Message, 5 stream Bool, 7 mm_inputs Bytes?, "
        + "15000 cluster_envelope Bytes")]
    [InlineData("TokenizedInput", "1 original_text String, 2 input_ids UInt32[]")]
    [InlineData(
        "SamplingParams",
        "1 temperature Float?, 2 top_p Float, 3 top_k UInt32, 4 min_p Float, 5 frequency_penalty Float, 6 presence_penalty Float, "
        + "7 repetition_penalty Float, 8 max_tokens UInt32?, 9 min_tokens UInt32, 10 stop String[], 11 stop_token_ids UInt32[], "
        + "12 skip_special_tokens Bool, 13 spaces_between_special_tokens Bool, 14 ignore_eos Bool, 15 n UInt32, 16 json_schema String, "
        + "17 regex String, 18 grammar String, 19 structural_tag String, 20 json_object Bool, 21 choice Message, 22 logprobs Int32?, "
        + "23 prompt_logprobs Int32?, 24 seed Int32?, 25 include_stop_str_in_output Bool, 26 logit_bias Message[], 27 "
        + "truncate_prompt_tokens Int32?")]
    [InlineData("ChoiceConstraint", "1 choices String[]")]
    [InlineData("GenerateResponse", "1 chunk Message, 2 complete Message")]
    [InlineData("GenerateStreamChunk", "1 token_ids UInt32[], 2 prompt_tokens UInt32, 3 completion_tokens UInt32, 4 cached_tokens UInt32")]
    [InlineData(
        "GenerateComplete",
        "1 output_ids UInt32[], 2 finish_reason String, 3 prompt_tokens UInt32, 4 completion_tokens UInt32, 5 cached_tokens UInt32")]
    [InlineData("EmbedRequest", "1 request_id String, 2 tokenized Message")]
    [InlineData("EmbedResponse", "1 embedding Float[], 2 prompt_tokens UInt32, 3 embedding_dim UInt32")]
    [InlineData("HealthCheckResponse", "1 healthy Bool, 2 message String")]
    [InlineData("AbortRequest", "1 request_ids String[]")]
    [InlineData(
        "GetModelInfoResponse",
        "1 model_path String, 2 is_generation Bool, 3 max_context_length UInt32, 4 vocab_size UInt32, 5 supports_vision Bool")]
    [InlineData(
        "GetServerInfoResponse",
        "1 active_requests UInt32, 2 is_paused Bool, 3 last_receive_timestamp Double, 4 uptime_seconds Double, 5 server_type String")]
    public void The_engine_interface_has_the_agreed_fields(string message, string fields)
    {
        var descriptor = VllmEngineReflection.Descriptor.FindTypeByName<MessageDescriptor>(message);

        Assert.Equal(fields, string.Join(", ", descriptor.Fields.InFieldNumberOrder().Select(Describe)));
    }

    [Theory]
    [InlineData("input", "tokenized, text")]
    [InlineData("constraint", "json_schema, regex, grammar, structural_tag, json_object, choice")]
    [InlineData("response", "chunk, complete")]
    public void The_engine_interface_has_the_agreed_oneofs(string name, string members)
    {
        var oneof = Assert.Single(
            VllmEngineReflection.Descriptor.MessageTypes.SelectMany(type => type.Oneofs),
            oneof => oneof.Name == name);

        Assert.Equal(members, string.Join(", ", oneof.Fields.Select(field => field.Name)));
    }

    [Fact]
    public void The_engine_service_has_the_agreed_methods()
    {
        var service = Assert.Single(VllmEngineReflection.Descriptor.Services);

        Assert.Equal("vllm.grpc.engine.VllmEngine", service.FullName);
        Assert.Equal(
            ["Generate stream", "Embed", "HealthCheck", "Abort", "GetModelInfo", "GetServerInfo"],
            service.Methods.Select(method => method.IsServerStreaming ? $"{method.Name} stream" : method.Name));
        Assert.All(service.Methods, method => Assert.Equal($"{method.Name}Request", method.InputType.Name));
    }

    private static string Describe(FieldDescriptor field)
    {
        // `optional` makes a oneof of its own, which is not among the real ones.
        var optional = field.ContainingOneof is { IsSynthetic: true } ? "?" : "";
        return $"{field.FieldNumber} {field.Name} {field.FieldType}{(field.IsRepeated ? "[]" : optional)}";
    }
}

using System.Buffers;
using System.Text.Json;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>What the gateway sends to a worker around a client's request: everything that a worker would draw by itself, so that two
/// workers answer alike, and how much of the answer the client has.</summary>
/// <param name="Id">Used in the answer's id.</param>
/// <param name="Created">Unix seconds.</param>
/// <param name="Seed">Where the client gives none.</param>
/// <param name="KeyId">Of the client's API key, for isolated caches; null without keys.</param>
internal sealed record RequestEnvelope(string Id, long Created, int Seed, string? KeyId)
{
    public const string MediaType = "application/vnd.cluster.request+json";

    /// <param name="body">The client's, valid JSON; empty for gRPC, where the message stands beside.</param>
    public byte[] Write(StreamProgress progress, ReadOnlySpan<byte> body)
    {
        var buffer = new ArrayBufferWriter<byte>(body.Length + 512 + (progress.Tokens * 7));
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", Id);
            json.WriteNumber("created", Created);
            json.WriteNumber("seed", Seed);
            if (KeyId is not null)
            {
                json.WriteString("keyId", KeyId);
            }

            progress.Write(json);
            if (!body.IsEmpty)
            {
                json.WritePropertyName("request");
                json.WriteRawValue(body, skipInputValidation: true);
            }

            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}

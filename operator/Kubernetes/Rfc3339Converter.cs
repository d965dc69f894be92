using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Operator.Kubernetes;

/// <summary>metav1.Time: written in UTC with whole seconds; read with any fraction (MicroTime) and any offset.</summary>
internal sealed class Rfc3339Converter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string? text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time
            : throw new JsonException($"expected an RFC 3339 time such as 2026-01-31T12:00:00Z, found {text ?? reader.TokenType.ToString()}");
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
        => writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Operator.Kubernetes;

/// <summary>metav1.Time: written in UTC with whole seconds; read with any fraction (MicroTime) and any offset.</summary>
internal sealed class Rfc3339Converter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new JsonException(
                $"expected an RFC 3339 time such as 2026-01-31T12:00:00Z, found {text ?? reader.TokenType.ToString()}");
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
        => writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
}

/// <summary>The same for the library's models, whose times are <see cref="DateTime"/>s: always in UTC.</summary>
internal sealed class Rfc3339DateTimeConverter : JsonConverter<DateTime>
{
    private static readonly Rfc3339Converter Offset = new();

    public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => Offset.Read(ref reader, typeof(DateTimeOffset), options).UtcDateTime;

    public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options) =>
        Offset.Write(writer, value, options);
}

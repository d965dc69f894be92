using System.Text.Json;
using System.Text.Json.Serialization;
using Cluster.Operator.Controller;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway.Page;

/// <summary>How the page's own objects are written: camelCase names and words, keys as <c>namespace/name</c>, numbers to the
/// thousandth.</summary>
internal static class PageJson
{
    public static JsonSerializerOptions Options { get; } = Create();

    private static JsonSerializerOptions Create()
    {
        JsonSerializerOptions options = new(JsonSerializerDefaults.Web)
        {
            Converters =
            {
                new JsonStringEnumConverter(JsonNamingPolicy.CamelCase), new KeyConverter(), new RequestIdConverter(),
                new ShortNumberConverter(),
            },
        };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    /// <summary>Nobody reads them back: this is what the page is told.</summary>
    private abstract class WriteOnlyConverter<T> : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException($"{typeof(T).Name} is only written");
    }

    private sealed class KeyConverter : WriteOnlyConverter<NamespacedName>
    {
        public override void Write(Utf8JsonWriter writer, NamespacedName value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());
    }

    private sealed class RequestIdConverter : WriteOnlyConverter<RequestId>
    {
        public override void Write(Utf8JsonWriter writer, RequestId value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Value);
    }

    private sealed class ShortNumberConverter : WriteOnlyConverter<double>
    {
        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(Math.Round(value, 3));
    }
}

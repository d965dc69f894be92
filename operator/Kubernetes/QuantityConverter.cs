using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>Reads quantities such as <c>64Gi</c>. The library's own converter throws whatever its arithmetic throws on a text that is none,
/// without saying where it stands, and computes any power of ten that it is told.</summary>
internal sealed partial class QuantityConverter : JsonConverter<ResourceQuantity>
{
    /// <exception cref="JsonException">The value is no quantity. The reader adds its path.</exception>
    public override ResourceQuantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString()!,
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan),
            _ => "",
        };
        return IsReadable(text)
            ? new ResourceQuantity(text)
            : throw new JsonException($"'{text}' is no quantity; expected a number with a suffix such as m, k, M, Gi or e3");
    }

    public override void Write(Utf8JsonWriter writer, ResourceQuantity value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());

    /// <summary>Whether a text is a quantity whose arithmetic is worth its time.</summary>
    public static bool IsReadable(string text) => Quantity().IsMatch(text);

    // Kubernetes documentation, "Quantity", with as many digits as any machine has bytes or cores.
    [GeneratedRegex(@"^[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})\z")]
    private static partial Regex Quantity();
}

using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Operator.Kubernetes;

/// <summary>Enums by name. A name this version does not know reads as an undefined value instead of failing, because one
/// object written by a newer operator must not make the whole list unreadable; validation then refuses that one object.</summary>
internal sealed class TolerantEnumConverter : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) => typeToConvert.IsEnum;

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options)
        => (JsonConverter)Activator.CreateInstance(typeof(Converter<>).MakeGenericType(typeToConvert))!;

    private sealed class Converter<T> : JsonConverter<T>
        where T : struct, Enum
    {
        private static readonly Dictionary<string, T> ByName = Enum.GetValues<T>()
            .ToDictionary(value => value.ToString(), StringComparer.Ordinal);

        private static readonly T Undefined = (T)Enum.ToObject(typeof(T), -1);

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new JsonException($"expected one of {string.Join(", ", ByName.Keys)}, found a {reader.TokenType}");
            }

            return ByName.TryGetValue(reader.GetString()!, out var value) ? value : Undefined;
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
            => writer.WriteStringValue(Enum.IsDefined(value)
                ? value.ToString()
                : throw new JsonException(
                    $"{typeof(T).Name} {value} has no name to write; it was read from a value this version does not know"));
    }
}

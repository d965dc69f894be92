using System.Text.Json;
using System.Text.Json.Serialization;
using Cluster.Common;

namespace Cluster.Operator.Api;

/// <summary>GPUs per replica: a number, or <c>auto</c>, which the operator replaces by one before it makes pods (see
/// <c>Reconciling/Sizing</c>). A number converts by itself, so that only those who can meet <c>auto</c> have to ask for it.</summary>
/// <param name="Degree">The number; 0 while there is none.</param>
/// <param name="Word">What stands there instead of a number, as it was written.</param>
[JsonConverter(typeof(Converter))]
internal readonly record struct TensorParallelSize(int Degree, string? Word = null)
{
    public const string AutoWord = "auto";

    /// <summary>The schema's pattern of the word.</summary>
    public const string Pattern = "^" + AutoWord + "$";

    public const int Largest = WorkerFlags.MaxTensorParallelSize;

    public static TensorParallelSize Auto { get; } = new(0, AutoWord);

    public bool IsAuto => Word == AutoWord;

    public static implicit operator TensorParallelSize(int degree) => new(degree);

    public override string ToString() => Word ?? Degree.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Reads whatever stands there: the validator names it, where an exception would lose the object.</summary>
    private sealed class Converter : JsonConverter<TensorParallelSize>
    {
        public override bool HandleNull => true;

        public override TensorParallelSize Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.Null:
                    return 1;
                case JsonTokenType.Number when reader.TryGetInt32(out var degree):
                    return degree;
                case JsonTokenType.String:
                    return new TensorParallelSize(0, reader.GetString());
                default:
                    using (var other = JsonDocument.ParseValue(ref reader))
                    {
                        return new TensorParallelSize(0, other.RootElement.GetRawText());
                    }
            }
        }

        public override void Write(Utf8JsonWriter writer, TensorParallelSize value, JsonSerializerOptions options)
        {
            if (value.Word is { } word)
            {
                writer.WriteStringValue(word);
            }
            else
            {
                writer.WriteNumberValue(value.Degree);
            }
        }
    }
}

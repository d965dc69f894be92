using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Cluster.Common;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>-o</c>, as kubectl has it.</summary>
internal static class OutputFormat
{
    public const string Text = "text";
    public const string Wide = "wide";
    public const string Json = "json";
    public const string Yaml = "yaml";

    private static readonly JsonSerializerOptions Readable = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <param name="formats">Beside <see cref="Text"/>, which is the default.</param>
    public static Option<string> Option(params string[] formats)
    {
        var option = OptionChecks.OneOf("--output", "How to print it.", [Text, .. formats]);
        option.Aliases.Add("-o");
        return option;
    }

    /// <summary>One of the formats that programs read.</summary>
    public static string Write(object value, string format) => Write(JsonSerializer.SerializeToNode(value, Readable)!, format);

    public static string Write(JsonNode value, string format) =>
        format == Yaml ? YamlJson.ToYaml(value) : value.ToJsonString(Readable) + "\n";
}

using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cluster.Worker.Commands.Lines;

/// <summary>vLLM's configuration file: YAML whose keys are options without their dashes. Part of <see cref="WorkerLine"/>.</summary>
internal static class ConfigFile
{
    private const int MaxCharacters = 1 << 20;

    /// <param name="given">The command line, which may name a file.</param>
    /// <param name="errors">Told what is wrong with the file.</param>
    /// <returns>Nothing where no file is named.</returns>
    public static IReadOnlyList<GivenOption> Read(
        OptionNames names, IReadOnlyList<GivenOption> given, Func<string, string> readFile, List<string> errors)
    {
        if (given.LastOrDefault(one => one.Option?.Name == LineBuilder.Config) is not { Values: [var file] })
        {
            return [];
        }

        try
        {
            return [.. Entries(readFile(file)).SelectMany(entry => Options(names, entry.Key, entry.Value))];
        }
        catch (Exception exception) when (exception is YamlException or FormatException or IOException or UnauthorizedAccessException)
        {
            errors.Add($"{LineBuilder.Config} {file}: {exception.Message}");
            return [];
        }
    }

    /// <exception cref="FormatException">The file is no mapping of names.</exception>
    private static IEnumerable<(string Key, YamlNode Value)> Entries(string text)
    {
        if (text.Length > MaxCharacters)
        {
            throw new FormatException($"has more than {MaxCharacters} characters and is no list of options");
        }

        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents switch
        {
            [] => [],
            [{ RootNode: YamlMappingNode root }] =>
                root.Children.Select(entry => ((entry.Key as YamlScalarNode)?.Value ?? throw Wrong(entry.Key), entry.Value)),
            [{ RootNode: var other }, ..] => throw Wrong(other),
        };

        static FormatException Wrong(YamlNode node) =>
            new($"line {node.Start.Line}: expected options by their names, such as 'max-model-len: 4096'");
    }

    /// <exception cref="FormatException">There is no such option, or it is no value.</exception>
    private static IReadOnlyList<GivenOption> Options(OptionNames names, string key, YamlNode value)
    {
        var name = $"--{key}";
        if (names.Find(name) is not { } option || option.Option?.Name == LineBuilder.Config)
        {
            throw new FormatException($"line {value.Start.Line}: {names.Path} has no option '{key}'");
        }

        return value switch
        {
            YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } => [],
            YamlScalarNode scalar => [option with { Values = [scalar.Value!], IsInline = true }],
            YamlSequenceNode list when list.All(item => item is YamlScalarNode) =>
                [option with { Values = [.. list.Select(item => ((YamlScalarNode)item).Value ?? "")] }],
            _ => throw new FormatException($"line {value.Start.Line}: '{key}' must be one value or a list of values"),
        };
    }
}

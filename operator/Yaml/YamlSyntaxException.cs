
namespace Cluster.Operator.Yaml;

/// <summary>A YAML text that cannot be an API object: <c>file:line:column: what is wrong</c>.</summary>
internal sealed class YamlSyntaxException(string file, long line, long column, string problem, Exception? inner = null)
    : FormatException($"{file}:{line}:{column}: {problem}", inner)
{
    public string File { get; } = file;

    public long Line { get; } = line;

    public long Column { get; } = column;
}

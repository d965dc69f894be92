using System.CommandLine;
using System.Text;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>What the name that the program was started under says: <c>kubectl-mdep</c> is <c>cluster-operator mdep</c>, and
/// <c>kubectl_complete-mdep</c> completes its command lines, as kubectl asks plugins to.</summary>
internal static class PluginLine
{
    public const string PluginName = "kubectl-mdep";

    public const string CompletionName = "kubectl_complete-mdep";

    /// <summary>cobra's ShellCompDirectiveNoFileComp: what is not listed is no file either.</summary>
    private const string NoFiles = ":4";

    /// <summary>The first word of this process's command line, which a link's name is in. .NET tells the name of the program behind
    /// it.</summary>
    public static string StartedAs()
    {
        try
        {
            var line = File.ReadAllBytes("/proc/self/cmdline");
            var end = Array.IndexOf(line, (byte)0);
            return Path.GetFileName(Encoding.UTF8.GetString(line, 0, end < 0 ? line.Length : end));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A system without /proc: there the plugin is a script that says mdep itself.
            return "";
        }
    }

    /// <summary>What to complete the last word with, a line each, and how.</summary>
    /// <param name="arguments">What stands behind <c>kubectl mdep</c>; the last word is the one to complete, and may be empty.</param>
    public static IEnumerable<string> Complete(RootCommand root, string[] arguments)
    {
        var word = arguments.LastOrDefault() ?? "";

        // The words before it decide what may follow; what it begins with is compared here, as kubectl itself would.
        string[] before = [MdepCommand.Name, .. arguments.SkipLast(1)];
        var line = string.Concat(before.Select(text => text.Contains(' ', StringComparison.Ordinal) ? $"\"{text}\" " : $"{text} "));
        var items = root.Parse(line).GetCompletions(line.Length);
        return [
            .. items.Select(item => item.InsertText ?? item.Label)
                .Where(text => text.StartsWith(word, StringComparison.Ordinal) && (word.StartsWith('-') || text[0] is not ('-' or '/')))
                .Distinct().Order(StringComparer.Ordinal),
            NoFiles,
        ];
    }
}

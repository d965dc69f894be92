using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>The rooms, files and types that the documents name are in the repository.</summary>
public sealed partial class LayoutTests
{
    /// <summary>The folder of the documents' tests: what only they name proves nothing.</summary>
    internal const string Documents = "tests/EndToEnd.Tests/Documents/";

    private static readonly string[] Code = ["common", "operator", "worker", "tests"];

    private static readonly Lazy<HashSet<string>> Words = new(() =>
    [
        .. from folder in Code
           from file in RepositoryFiles.Under(folder, "*.cs")
           where !file.StartsWith(Documents, StringComparison.Ordinal)
           from word in WordsOf(file)
           select word,
        .. RepositoryFiles.Under("worker", "*.proto").SelectMany(WordsOf),
    ]);

    public static TheoryData<string> Paths { get; } = [.. Document.All.Select(document => document.Path)];

    /// <summary>Every room of the tree in architecture.md, as a path.</summary>
    public static TheoryData<string> Rooms { get; } = [.. ReadTree()];

    [Theory, MemberData(nameof(Rooms))]
    public void A_room_of_the_tree_is_a_folder(string room)
    {
        Assert.True(Directory.Exists(Path.Combine(RepositoryRoot.Path, room)), room);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Paths_in_sentences_are_there(string path)
    {
        var named = Document.At(path).InlineCode.Where(code => RepositoryPath().IsMatch(code.Text));

        Assert.Empty(named.Where(name => !Path.Exists(Path.Combine(RepositoryRoot.Path, name.Text)))
            .Select(name => $"{path}:{name.Line} {name.Text}"));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Names_in_sentences_are_in_the_code(string path)
    {
        var named = Document.At(path).InlineCode.SelectMany(code => code.Text.Split('.').Select(part => (code.Line, Name: part)))
            .Where(code => TypeName().IsMatch(code.Name));

        Assert.Empty(named.Where(name => !Words.Value.Contains(name.Name)).Select(name => $"{path}:{name.Line} {name.Name}"));
    }

    private static IEnumerable<string> WordsOf(string file) =>
        Identifier().Matches(RepositoryFiles.Read(file)).Select(match => match.Value);

    /// <summary>Folders are words that end in a slash. The first one of a line lies in the folder above, the others of the line in
    /// it.</summary>
    private static IEnumerable<string> ReadTree()
    {
        var tree = Document.At("docs/architecture.md").Blocks.First(block =>
            block.Language == "text" && block.Lines[0].StartsWith("operator/", StringComparison.Ordinal));
        var root = "";
        foreach (var line in tree.Lines)
        {
            var folders = Folder().Matches(line).Select(match => match.Value.TrimEnd('/')).ToList();
            if (!line.StartsWith(' '))
            {
                root = folders[0];
                yield return root;
                foreach (var inner in folders.Skip(1).Where(_ => root is "deploy" or "tests" or "docs"))
                {
                    yield return $"{root}/{inner}";
                }

                continue;
            }

            // Folders in parentheses lie in the one before the parenthesis.
            var above = new Stack<string>([root]);
            var last = "";
            foreach (var match in FolderOrParenthesis().Matches(line).Select(match => match.Value))
            {
                switch (match)
                {
                    case "(":
                        above.Push(last);
                        break;
                    case ")":
                        above.Pop();
                        break;
                    default:
                        last = $"{above.Peek()}/{match.TrimEnd('/')}";
                        yield return last;
                        if (above.Count == 1)
                        {
                            above.Push(last);
                        }

                        break;
                }
            }
        }
    }

    [GeneratedRegex(@"[A-Za-z_]\w*")]
    private static partial Regex Identifier();

    [GeneratedRegex("^[A-Z][a-z]+([A-Z][a-z0-9]*)+$")]
    private static partial Regex TypeName();

    [GeneratedRegex("^(common|deploy|docs|operator|tests|worker|[.]ci)/[A-Za-z0-9_./-]*$")]
    private static partial Regex RepositoryPath();

    [GeneratedRegex(@"(?<=^|[ (])[A-Za-z][\w.-]*/(?=[ );]|$)")]
    private static partial Regex Folder();

    [GeneratedRegex(@"(?<=^|[ (])[A-Za-z][\w.-]*/(?=[ );]|$)|[()]")]
    private static partial Regex FolderOrParenthesis();
}

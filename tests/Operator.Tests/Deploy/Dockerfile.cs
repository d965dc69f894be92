using System.Text.RegularExpressions;

namespace Cluster.Operator.Tests.Deploy;

/// <summary>A Dockerfile as instructions: comments dropped, continued lines joined. Enough of the format for ours.</summary>
internal sealed partial class Dockerfile
{
    private Dockerfile(IReadOnlyList<(string Name, string Arguments)> instructions) => Instructions = instructions;

    public IReadOnlyList<(string Name, string Arguments)> Instructions { get; }

    public static Dockerfile Read(string path)
    {
        var lines = File.ReadLines(path).Where(line => !line.TrimStart().StartsWith('#'));
        var text = string.Join('\n', lines).Replace("\\\n", " ", StringComparison.Ordinal);
        return new Dockerfile([.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            var instruction = Instruction().Match(line);
            Assert.True(instruction.Success, $"no instruction: {line}");
            return (instruction.Groups[1].Value, instruction.Groups[2].Value.Trim());
        })]);
    }

    public IEnumerable<string> All(string name) => Instructions.Where(one => one.Name == name).Select(one => one.Arguments);

    /// <summary>What holds in the last stage, the one that becomes the image.</summary>
    public IReadOnlyList<(string Name, string Arguments)> FinalStage =>
        [.. Instructions.Skip(Instructions.Select((one, index) => (one, index)).Last(item => item.one.Name == "FROM").index)];

    public string Final(string name) => FinalStage.Last(one => one.Name == name).Arguments;

    [GeneratedRegex(@"^([A-Z]+)\s+(.*)$")]
    private static partial Regex Instruction();
}

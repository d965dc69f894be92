using System.CommandLine;
using Cluster.Operator.Api;

namespace Cluster.Operator.Commands;

/// <summary>The options that say what whoever may create a ModelDeployment gets.</summary>
internal sealed class PodPolicyOptions
{
    private readonly Option<string[]> _allow = new("--pod-template-allow")
    {
        Description =
            $"Privilege that podTemplates may use: {string.Join(", ", PodPrivilege.All.Select(privilege => privilege.Name))}. Can be "
            + "repeated. Default: none.",
        HelpName = "PRIVILEGE",
    };
    private readonly Option<string[]> _prefixes = new("--model-path-prefix")
    {
        Description =
            "Folder of the nodes in which file:// models and caches may be; / is every folder. Can be repeated. Default: none, "
            + "so that file:// is refused.",
        HelpName = "PATH",
    };

    public PodPolicyOptions()
    {
        _allow.CompletionSources.Add([.. PodPrivilege.All.Select(privilege => privilege.Name)]);
        _allow.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => Find(token.Value) is null))
            {
                result.AddError(
                    $"--pod-template-allow {token.Value}: must be one of {string.Join(", ", PodPrivilege.All.Select(p => p.Name))}");
            }
        });
        _prefixes.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !IsFolder(token.Value)))
            {
                result.AddError($"--model-path-prefix {token.Value}: must be an absolute path without '.', '..' and empty parts");
            }
        });
    }

    /// <param name="withPrefixes">Whether the command is for nodes that are not the user's own machine.</param>
    public void AddTo(Command command, bool withPrefixes)
    {
        command.Options.Add(_allow);
        if (withPrefixes)
        {
            command.Options.Add(_prefixes);
        }
    }

    public PodPolicy Read(ParseResult arguments) => new()
    {
        Allowed = Privileges(arguments),
        ModelPathPrefixes = [.. (arguments.GetValue(_prefixes) ?? []).Select(prefix => prefix == "/" ? prefix : prefix.TrimEnd('/'))],
    };

    public IReadOnlyCollection<PodPrivilege> Privileges(ParseResult arguments) =>
        [.. (arguments.GetValue(_allow) ?? []).Select(name => Find(name)!)];

    private static PodPrivilege? Find(string name) => PodPrivilege.All.FirstOrDefault(privilege => privilege.Name == name);

    private static bool IsFolder(string path) =>
        path == "/" || (path.StartsWith('/') && path.TrimEnd('/')[1..].Split('/').All(part => part is not ("" or "." or "..")));
}

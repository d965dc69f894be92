using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Commands;

/// <summary><c>--model-config-endpoint</c> of <c>run</c>, <c>local</c> and <c>render</c>: where <c>tensorParallelSize: auto</c> reads
/// config.json of public hf:// models.</summary>
internal sealed class ModelConfigOption
{
    private const string Off = "none";
    private const string Variable = "HF_ENDPOINT";

    private readonly Option<string> _endpoint = new("--model-config-endpoint")
    {
        Description =
            $"Hub where tensorParallelSize auto reads config.json of hf:// models, without a token; {Off} turns this off. Default: "
            + $"{Variable}, else {HubModelConfigs.DefaultEndpoint}.",
        DefaultValueFactory = _ =>
            Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set ? set : HubModelConfigs.DefaultEndpoint,
        HelpName = "URL",
    };

    public ModelConfigOption()
    {
        _endpoint.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value is var given && given != Off && !IsHub(given))
            {
                result.AddError($"--model-config-endpoint {given}: must be {Off} or http(s)://host[/path] without user, query or fragment");
            }
        });
    }

    public void AddTo(Command command) => command.Options.Add(_endpoint);

    /// <exception cref="CommandFailure">The environment variable is no address.</exception>
    public IModelConfigs Read(ParseResult arguments)
    {
        var value = arguments.GetValue(_endpoint)!;
        return value == Off ? new NoModelConfigs()
            : IsHub(value) ? new HubModelConfigs(HubModelConfigs.CreateClient(), new Uri(value), new NoModelConfigs())
            : throw new CommandFailure($"{Variable}={value}: must be http(s)://host[/path] without user, query or fragment");
    }

    private static bool IsHub(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && uri is { UserInfo: "", Query: "", Fragment: "" };
}

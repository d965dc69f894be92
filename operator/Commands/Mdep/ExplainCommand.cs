using System.CommandLine;
using Cluster.Operator.Manifests;
using Cluster.Operator.Plugin;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>kubectl mdep explain</c>: the operator's planner over the live cluster, in words.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var name = cluster.DeploymentName();
        Option<string[]> changes = new("--what-if")
        {
            Description =
                "Changes to the spec, as in replicas=4,tp=2. A name is a path in the spec (gpu.requireSameHive), or a field of one of "
                + "its parts (maxModelLen); no value takes a field away. Nothing is changed in the cluster. Can be repeated.",
            HelpName = "NAME=VALUE"
        };
        Option<string?> models = new("--models")
        {
            Description = "Folder that is /models on the nodes, where config.json of file:///models/… sources is found.",
            HelpName = "DIR"
        };
        var configs = new ModelConfigOption();
        var output = OutputFormat.Option(OutputFormat.Json, OutputFormat.Yaml);
        var command = new TaughtCommand(
            "explain",
            "Says why each replica of a deployment is where it is (GPUs, XGMI hive, NUMA node, memory), why others are not placed, and "
            + "what would fit. It asks the operator's own planner, with the nodes and pods of the cluster as they are.",
            """
            kubectl mdep explain haiku
            kubectl mdep explain haiku --what-if replicas=4,tp=2
            kubectl mdep explain haiku --what-if tp=auto --what-if maxModelLen=8192 -o json
            """)
        { name, changes, models, output };
        cluster.AddTo(command);
        configs.AddTo(command);
        command.SetAction(async (arguments, cancellationToken) =>
        {
            using var connection = cluster.Connect(arguments);
            var view = await connection.Cluster.ViewAsync(connection.Namespace, arguments.GetRequiredValue(name), cancellationToken);
            Explainer explainer = new(
                new FolderModelConfigs(HostFolders.ForModels(arguments.GetValue(models)).Map, configs.Read(arguments)),
                TimeProvider.System);
            var explanation = await explainer.ExplainAsync(view, arguments.GetValue(changes) ?? [], cancellationToken);
            var format = arguments.GetValue(output)!;
            await Console.Out.WriteAsync(
                format == OutputFormat.Text ? ExplanationText.Of(explanation) : OutputFormat.Write(explanation, format));
            return 0;
        });
        return command;
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Operator.Yaml;
using k8s.Models;

namespace Cluster.Operator.Commands;

/// <summary><c>render</c>: prints what the operator would create for manifests, without a cluster. The manifests pass the checks
/// an API server would make of them, then <see cref="Rendering"/> decides.</summary>
internal static class RenderCommand
{
    private const string DefaultImage = "cluster-worker:latest";

    private static readonly string SimulatedNotice = $"""
        # Placed on simulated nodes of {Rendering.SimulatedGpus} GPUs: give --nodes FILE (kubectl get nodes,pods -A -o yaml) for the real ones.

        """;

    public static Command Create()
    {
        var files = new Option<string[]>("--filename", "-f")
        {
            Description = "Manifest, folder of manifests, or - for standard input. Can be repeated.",
            Required = true,
            HelpName = "FILE"
        };
        var nodes = new Option<string?>("--nodes")
        {
            Description = "Nodes to place on, and pods that hold GPUs there: kubectl get nodes,pods -A -o yaml. Default: simulated nodes.",
            HelpName = "FILE"
        };
        var models = new Option<string?>("--models")
        {
            Description =
                "Folder that is /models on the nodes, where tensorParallelSize auto finds config.json of file:///models/… sources. "
                + "Sources there are allowed then. Default: the folder 'models' beside the first manifest.",
            HelpName = "DIR"
        };
        var configs = new ModelConfigOption();
        var worker = new WorkerPodOptions(DefaultImage);
        var command = new Command(
            "render",
            "Prints the services, the disruption budget and the pods it would create, as YAML. Exit code 1 when something is wrong or "
            + "does not fit.") { files, nodes, models };
        worker.AddTo(command);
        configs.AddTo(command);
        command.SetAction((arguments, cancellationToken) =>
        {
            var manifests = arguments.GetRequiredValue(files).SelectMany(Manifest.Load).ToList();
            var cluster = arguments.GetValue(nodes) is { } path ? Manifest.Load(path) : null;
            var folder = arguments.GetValue(models) ?? HostFolders.BesideFirst(arguments.GetRequiredValue(files));
            var options = worker.Read(arguments);
            if (folder is not null)
            {
                // Who says which folder is the nodes' /models means models to be there.
                options = options with
                {
                    Policy = options.Policy with { ModelPathPrefixes = [.. options.Policy.ModelPathPrefixes, HostFolders.Models] }
                };
            }

            return RenderAsync(
                manifests, cluster, new FolderModelConfigs(HostFolders.ForModels(folder).Map, configs.Read(arguments)), options,
                Console.Out, Console.Error, cancellationToken);
        });
        return command;
    }

    /// <param name="cluster">Nodes and pods; other kinds are passed over. Null to simulate.</param>
    /// <returns>0, or 1 when <paramref name="error"/> says why something is missing from <paramref name="output"/>.</returns>
    /// <exception cref="CommandFailure">There is nothing to render, or the cluster cannot be read.</exception>
    internal static async Task<int> RenderAsync(
        IReadOnlyList<Manifest> manifests, IReadOnlyList<Manifest>? cluster, IModelConfigs configs, WorkerOptions options,
        TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var deployments = manifests.Where(m => m.Kind == ApiNames.Kind && m.ApiVersion == ApiNames.ApiVersion).ToList();
        if (deployments.Count == 0)
        {
            throw new CommandFailure($"no {ApiNames.Kind} ({ApiNames.ApiVersion}) among the {manifests.Count} objects given");
        }

        var ledger = cluster is null ? null : ReadCluster(cluster);
        var kind = new ManifestKind(CrdDocument.Build());
        var text = new StringBuilder();
        var failed = false;
        foreach (var manifest in deployments)
        {
            var rendering = await RenderAsync(manifest, kind, configs, options, ledger, cancellationToken);
            if (rendering.Sizing is { } sizing)
            {
                text.Append(CultureInfo.InvariantCulture, $"# {manifest.Name}: {sizing.Message}\n");
            }

            foreach (var item in rendering.Objects)
            {
                text.Append("---\n").Append(YamlJson.ToYaml(item));
            }

            if (rendering.Problem is not null)
            {
                await error.WriteLineAsync($"error: {manifest.Origin}: {manifest.Name}: {rendering.Problem}");
                failed = true;
            }
        }

        if (cluster is null && text.Length > 0)
        {
            text.Insert(0, SimulatedNotice);
        }

        await output.WriteAsync(text, cancellationToken);
        return failed ? 1 : 0;
    }

    private static async Task<Rendering> RenderAsync(
        Manifest manifest, ManifestKind kind, IModelConfigs configs, WorkerOptions options, GpuLedger? ledger,
        CancellationToken cancellationToken)
    {
        try
        {
            return await Rendering.OfAsync(
                ModelDeploymentDefaults.Apply(KubernetesJson.Read<ModelDeployment>(kind.Admit(manifest.Object))), configs, options, ledger,
                cancellationToken);
        }
        catch (ManifestException e)
        {
            return new Rendering([], e.Message);
        }
    }

    private static GpuLedger ReadCluster(IReadOnlyList<Manifest> objects)
    {
        List<V1Node> nodes = [.. objects.Where(o => o is { Kind: "Node", ApiVersion: "v1" }).Select(Read<V1Node>)];
        if (nodes.Count == 0)
        {
            throw new CommandFailure($"no Node among the {objects.Count} objects of --nodes");
        }

        if (nodes.GroupBy(n => n.Metadata.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new CommandFailure($"--nodes has node '{twice.Key}' twice");
        }

        // A list written by hand need not repeat what is usual.
        foreach (var node in nodes)
        {
            node.Status ??= new V1NodeStatus();
            node.Status.Conditions ??= new List<V1NodeCondition> { new() { Type = "Ready", Status = "True" } };
        }

        return new GpuLedger(
            nodes, objects.Where(o => o is { Kind: "Pod", ApiVersion: "v1" }).Select(Read<V1Pod>).Select(pod => Replica.Of(pod)));
    }

    private static T Read<T>(Manifest manifest)
        where T : class
    {
        try
        {
            return KubernetesJson.Read<T>(manifest.Object);
        }
        catch (JsonException e)
        {
            throw new CommandFailure($"{manifest.Origin}: {manifest.Kind} '{manifest.Name}': {e.Message}", e);
        }
    }
}

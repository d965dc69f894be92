using System.CommandLine;
using Cluster.Operator.Api;

namespace Cluster.Operator.Commands;

/// <summary><c>crd</c>: prints the CustomResourceDefinition made from the API types; deploy/crds holds its output.</summary>
internal static class CrdCommand
{
    public static Command Create()
    {
        var command = new Command("crd", "Prints the ModelDeployment CustomResourceDefinition as YAML (kubectl apply -f -).");
        command.SetAction(_ => Console.Out.Write(CrdDocument.Generate()));
        return command;
    }
}

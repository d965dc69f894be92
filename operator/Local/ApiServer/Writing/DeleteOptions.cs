using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>metav1.DeleteOptions, from the body or the query.</summary>
/// <param name="Propagation">null keeps what an earlier deletion asked for, and is Background for a first one.</param>
internal sealed record DeleteOptions(
    string? Uid = null, string? ResourceVersion = null, long? GracePeriodSeconds = null, string? Propagation = null, bool DryRun = false)
{
    public const string Background = "Background";
    public const string Foreground = "Foreground";
    public const string Orphan = "Orphan";

    private static ResourceType OptionsType { get; } = new()
    {
        Group = "meta.k8s.io",
        Version = "v1",
        Kind = "DeleteOptions",
        Plural = "deleteoptions"
    };

    /// <exception cref="ApiException">422 for an unknown propagation policy.</exception>
    public static DeleteOptions Parse(JsonNode? body, Func<string, string?> query)
    {
        var propagationOf = body.Text("propagationPolicy") ?? query("propagationPolicy");
        bool HasOrphan() => body.At("orphanDependents") is not null || query("orphanDependents") is not null;

        // The older field; false is Background, and not the same as absent.
        var propagation = propagationOf
            ?? (!HasOrphan() ? null : body.Flag("orphanDependents") || query("orphanDependents") is "true" or "1" ? Orphan : Background);
        if (propagation is not (null or Background or Foreground or Orphan))
        {
            throw ApiErrors.Invalid(
                OptionsType, "",
                [FieldError.NotSupported("propagationPolicy", $"\"{propagation}\"", ["\"Background\"", "\"Foreground\"", "\"Orphan\""])]);
        }
        if (propagationOf is not null && HasOrphan())
        {
            throw ApiErrors.Invalid(
                OptionsType, "",
                [FieldError.Invalid(
                    "propagationPolicy", $"\"{propagation}\"", "orphanDependents and deletionPropagation cannot be both set")]);
        }
        var grace = body.Integer("gracePeriodSeconds") ?? (long.TryParse(query("gracePeriodSeconds"), out var seconds) ? seconds : null);
        return new DeleteOptions(
            body.Text("preconditions", "uid"),
            body.Text("preconditions", "resourceVersion"),
            grace,
            propagation,
            body.Texts("dryRun").Contains("All") || query("dryRun") == "All");
    }
}

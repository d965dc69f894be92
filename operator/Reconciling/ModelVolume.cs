using System.Text.Json.Nodes;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>How a model's files get into a worker pod: the volume, where it is mounted, and what <c>--model</c> is told.
/// The one place that looks into a <see cref="ModelSource"/>.</summary>
/// <param name="Argument">Value of the worker's <c>--model</c> or <c>--speculative-model</c>.</param>
/// <param name="UsesHubCache">The worker downloads into <c>HF_HOME</c>; it needs the cache volume rather than one of its own.</param>
internal sealed record ModelVolume(string Argument, JsonObject? Volume, JsonObject? Mount, bool UsesHubCache)
{
    /// <param name="volumeName">Name of the pod volume, such as <c>model</c>.</param>
    /// <param name="root">Folder in the container under which the files appear, such as <c>/models</c>.</param>
    /// <exception cref="InvalidModelDeploymentException">The source is malformed.</exception>
    public static ModelVolume For(string field, string source, string volumeName, string root)
    {
        switch (Parse(field, source))
        {
            case ModelSource.File file:
                var folder = $"{root}/{LastSegment(file.Path)}";
                return new ModelVolume(
                    folder,
                    new JsonObject
                    {
                        ["name"] = volumeName,
                        ["hostPath"] = new JsonObject { ["path"] = file.Path, ["type"] = "Directory" }
                    },
                    new JsonObject { ["name"] = volumeName, ["mountPath"] = folder, ["readOnly"] = true },
                    UsesHubCache: false);

            case ModelSource.Pvc pvc:
                folder = $"{root}/{(pvc.Path.Length == 0 ? pvc.Claim : LastSegment(pvc.Path))}";
                JsonObject mount = new() { ["name"] = volumeName, ["mountPath"] = folder, ["readOnly"] = true };
                if (pvc.Path.Length > 0)
                {
                    mount["subPath"] = pvc.Path;
                }

                return new ModelVolume(
                    folder,
                    new JsonObject
                    {
                        ["name"] = volumeName,
                        ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = pvc.Claim, ["readOnly"] = true }
                    },
                    mount,
                    UsesHubCache: false);

            case ModelSource.Oci oci:
                folder = $"{root}/{oci.Name}";
                return new ModelVolume(
                    folder,
                    new JsonObject { ["name"] = volumeName, ["image"] = new JsonObject { ["reference"] = oci.Reference } },
                    new JsonObject { ["name"] = volumeName, ["mountPath"] = folder, ["readOnly"] = true },
                    UsesHubCache: false);

            default:
                return new ModelVolume(source, null, null, UsesHubCache: true);
        }
    }

    /// <summary>The volume that files from the hub are downloaded into.</summary>
    /// <param name="cache"><c>pvc://…</c> or <c>file://…</c>; null for <paramref name="defaultHostPath"/>, or for a cache that ends with
    /// its pod.</param>
    public static (JsonObject Volume, JsonObject Mount) HubCache(string? cache, string? defaultHostPath, string mountPath)
    {
        JsonObject mount = new() { ["name"] = WorkerPodSpec.HubCacheVolume, ["mountPath"] = mountPath };
        JsonObject volume = new() { ["name"] = WorkerPodSpec.HubCacheVolume };
        var folder = cache is not null
            ? Parse("spec.model.cache", cache)
            : defaultHostPath is not null ? new ModelSource.File(defaultHostPath) : null;
        switch (folder)
        {
            case ModelSource.File file:
                // Not DirectoryOrCreate: the kubelet would make it root's, and the worker could not write.
                volume["hostPath"] = new JsonObject { ["path"] = file.Path, ["type"] = "Directory" };
                break;
            case ModelSource.Pvc pvc:
                volume["persistentVolumeClaim"] = new JsonObject { ["claimName"] = pvc.Claim };
                if (pvc.Path.Length > 0)
                {
                    mount["subPath"] = pvc.Path;
                }

                break;
            default:
                volume["emptyDir"] = new JsonObject();
                break;
        }

        return (volume, mount);
    }

    private static ModelSource Parse(string field, string source)
    {
        try
        {
            return ModelSource.Parse(source);
        }
        catch (FormatException e)
        {
            throw new InvalidModelDeploymentException($"{field}: {e.Message}", e);
        }
    }

    private static string LastSegment(string path) => path[(path.LastIndexOf('/') + 1)..];
}

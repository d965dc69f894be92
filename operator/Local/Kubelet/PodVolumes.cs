using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Maps a pod's volumes to folders of this machine.</summary>
/// <param name="hostPaths">Where folders of the node are on this machine.</param>
/// <param name="scratch">Where emptyDir volumes live; removed with the pod.</param>
internal sealed class PodVolumes(HostFolders hostPaths, string scratch)
{
    /// <exception cref="PodConfigurationException">A volume's kind does not exist here, or its folder is missing.</exception>
    public IReadOnlyDictionary<string, string> Resolve(JsonObject pod)
    {
        var folders = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var volume in (pod["spec"]?["volumes"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var name = (string?)volume["name"] ?? "";
            folders[name] = volume switch
            {
                _ when volume["hostPath"] is JsonObject hostPath => HostPath(hostPath),
                _ when volume["emptyDir"] is JsonObject =>
                    Directory.CreateDirectory(Path.Combine(scratch, (string?)pod["metadata"]?["uid"] ?? "", name)).FullName,
                _ when volume["image"] is JsonObject image => throw new PodConfigurationException(
                    "CreateContainerConfigError",
                    $"volume '{name}': local mode has no container runtime that could pull the image '{image["reference"]}'; copy its files "
                    + "into a folder, and name that as file:///…"),
                _ => throw new PodConfigurationException(
                    "CreateContainerConfigError",
                    $"volume '{name}': local mode has hostPath and emptyDir volumes, not "
                    + $"{volume.Select(member => member.Key).FirstOrDefault(key => key != "name") ?? "an empty one"}"),
            };
        }

        return folders;
    }

    /// <summary>Removes what the pod's emptyDir volumes held.</summary>
    public void Remove(string podUid)
    {
        var folder = Path.Combine(scratch, podUid);
        if (podUid.Length > 0 && Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private string HostPath(JsonObject hostPath)
    {
        var path = (string?)hostPath["path"] ?? "";
        var folder = hostPaths.Map(path);
        var here = folder == path ? "" : $" ({folder} on this machine)";
        switch ((string?)hostPath["type"])
        {
            case "Directory" when !Directory.Exists(folder):
                throw new PodConfigurationException(
                    "CreateContainerConfigError", $"hostPath type check failed: {path}{here} is not a directory");
            case "DirectoryOrCreate":
                Directory.CreateDirectory(folder);
                break;
        }

        return folder;
    }
}

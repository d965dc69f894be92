using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>What kube-controller-manager puts into every namespace: the ServiceAccount <c>default</c> and the ConfigMap
/// <c>kube-root-ca.crt</c> with the authority of this server. Put back when deleted or changed.</summary>
internal sealed class NamespaceContents(ApiState state, ObjectCreation creation, ObjectUpdate update, string authorityPem)
{
    private const string RootAuthority = "kube-root-ca.crt";

    public void Sync()
    {
        var accounts = state.Registry.Find("", "v1", "serviceaccounts")!;
        var maps = state.Registry.Find("", "v1", "configmaps")!;
        foreach (var (key, space) in state.Store.Snapshot("/namespaces").Objects)
        {
            if (space.IsDeleting)
            {
                continue;
            }

            try
            {
                Keep(accounts, key.Name, "default", null);
                Keep(maps, key.Name, RootAuthority, new JsonObject { ["ca.crt"] = authorityPem });
            }
            catch (ApiException)
            {
                // The namespace went meanwhile, or somebody else wrote: that write brings us back.
            }
        }
    }

    private void Keep(ResourceType type, string @namespace, string name, JsonObject? data)
    {
        var present = state.Store.Get(type.Collection, new ObjectKey(@namespace, name));
        if (present is null)
        {
            var value = new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } };
            if (data is not null)
            {
                value["data"] = data;
            }

            creation.Create(type, @namespace, value, WriteOptions.OfController());
        }
        else if (data is not null && !present.IsDeleting && !JsonNode.DeepEquals(present.Root["data"], data))
        {
            update.Update(
                type, present.Key, null,
                live =>
                {
                    var next = live.Copy();
                    next["data"] = data.DeepClone();
                    return next;
                },
                WriteOptions.OfController());
        }
    }
}

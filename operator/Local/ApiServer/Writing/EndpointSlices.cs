using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>One EndpointSlice for each Service with a selector, as kube-controller-manager's controller keeps them: which addresses of pods
/// are behind it, and which of those are ready. Garbage collection removes a slice with its Service.</summary>
internal sealed class EndpointSlices(ApiState state, ObjectCreation creation, ObjectUpdate update)
{
    private const string ServiceLabel = "kubernetes.io/service-name";
    private const string ManagerLabel = "endpointslice.kubernetes.io/managed-by";
    private const string Manager = "endpointslice-controller.k8s.io";
    private const string Slices = "discovery.k8s.io/endpointslices";

    private (object? Services, object? Pods, object? Slices) _seen;

    public void Sync()
    {
        var (services, pods, slices) = (Of("/services"), Of("/pods"), Of(Slices));
        if (ReferenceEquals(_seen.Services, services) && ReferenceEquals(_seen.Pods, pods) && ReferenceEquals(_seen.Slices, slices))
        {
            return;
        }

        foreach (var service in services.Values)
        {
            var spec = service.Root["spec"];
            if (service.IsDeleting || spec.Text("type") == "ExternalName" || spec.At("selector") is not JsonObject { Count: > 0 } selector)
            {
                continue;
            }

            var behind = pods.Values
                .Where(pod => pod.Key.Namespace == service.Key.Namespace && Matches(pod.Root, selector) && IsEndpoint(pod.Root))
                .Select(pod => pod.Root).ToList();
            try
            {
                Keep(service, Wanted(service.Root, behind), slices.Values);
            }
            catch (ApiException)
            {
                // The service went meanwhile, or somebody else wrote: that write brings us back.
            }
        }

        _seen = (services, pods, slices);
    }

    private ImmutableSortedDictionary<ObjectKey, StoredObject> Of(string collection) => state.Store.Snapshot(collection).Objects;

    private void Keep(StoredObject service, JsonObject wanted, IEnumerable<StoredObject> slices)
    {
        var type = state.Registry.Find("discovery.k8s.io", "v1", "endpointslices")!;
        var present = slices.FirstOrDefault(
            slice => slice.Key.Namespace == service.Key.Namespace
                && slice.Root.Text("metadata", "labels", ServiceLabel) == service.Key.Name
                && slice.Root.Text("metadata", "labels", ManagerLabel) == Manager);
        if (present is null)
        {
            creation.Create(type, service.Key.Namespace, wanted, WriteOptions.OfController());
            return;
        }

        if (JsonNode.DeepEquals(present.Root["endpoints"], wanted["endpoints"])
            && JsonNode.DeepEquals(present.Root["ports"], wanted["ports"]))
        {
            return;
        }

        update.Update(
            type, present.Key, null,
            live =>
            {
                var next = live.Copy();
                next["endpoints"] = wanted["endpoints"]!.DeepClone();
                next["ports"] = wanted["ports"]!.DeepClone();
                return next;
            },
            WriteOptions.OfController());
    }

    private static JsonObject Wanted(JsonObject service, List<JsonObject> pods)
    {
        var labels = new JsonObject { [ManagerLabel] = Manager, [ServiceLabel] = service.Name() };
        if (service.Text("spec", "clusterIP") == "None")
        {
            labels["service.kubernetes.io/headless"] = "";
        }

        return new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["generateName"] = $"{service.Name()}-",
                ["labels"] = labels,
                ["ownerReferences"] = new JsonArray(new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "Service",
                    ["name"] = service.Name(),
                    ["uid"] = service.Uid(),
                    ["controller"] = true,
                    ["blockOwnerDeletion"] = true,
                }),
            },
            ["addressType"] = "IPv4",
            ["endpoints"] = new JsonArray([.. pods.Select(pod => Endpoint(pod, service.Flag("spec", "publishNotReadyAddresses")))]),
            ["ports"] = new JsonArray([.. service.Items("spec", "ports").Select(port => Port(port, pods)).OfType<JsonObject>()]),
        };
    }

    private static JsonNode Endpoint(JsonObject pod, bool alwaysReady)
    {
        var (ready, ending) = (DisruptionBudgets.IsHealthy(pod), pod.IsDeleting());
        return new JsonObject
        {
            ["addresses"] = new JsonArray(pod.Text("status", "podIP")),
            ["conditions"] = new JsonObject
            {
                ["ready"] = alwaysReady || (ready && !ending),
                ["serving"] = ready,
                ["terminating"] = ending,
            },
            ["nodeName"] = pod.Text("spec", "nodeName") ?? "",
            ["targetRef"] = new JsonObject
            {
                ["kind"] = "Pod",
                ["name"] = pod.Name(),
                ["namespace"] = pod.Namespace(),
                ["uid"] = pod.Uid(),
            },
        };
    }

    /// <returns>Null for a named port that no container has.</returns>
    private static JsonObject? Port(JsonNode? port, List<JsonObject> pods)
    {
        var target = port.At("targetPort");
        var number = target.AsInteger()
            ?? pods.SelectMany(pod => pod.Items("spec", "containers")).SelectMany(container => container.Items("ports"))
                .FirstOrDefault(one => one.Text("name") == target.Text()).Integer("containerPort");
        return number is null ? null : new JsonObject
        {
            ["name"] = port.Text("name") ?? "",
            ["protocol"] = port.Text("protocol") ?? "TCP",
            ["port"] = number,
        };
    }

    private static bool IsEndpoint(JsonObject pod) =>
        pod.Text("status", "podIP") is { Length: > 0 } && pod.Text("status", "phase") is not ("Succeeded" or "Failed");

    private static bool Matches(JsonObject pod, JsonObject selector) =>
        selector.All(wanted => pod.Text("metadata", "labels", wanted.Key) == wanted.Value.Text());
}

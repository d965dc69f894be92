using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Selectors;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>Keeps the status of PodDisruptionBudgets, as kube-controller-manager's disruption controller does
/// (pkg/controller/disruption). Called after writes by <see cref="GarbageCollector"/>'s loop, and by an eviction for what it is about to
/// rely on.</summary>
internal sealed class DisruptionBudgets(ApiState state, ObjectUpdate update)
{
    public const string Collection = "policy/poddisruptionbudgets";

    // A pod whose eviction was granted counts as gone; one that is still there after this long was not deleted after all.
    private static readonly TimeSpan DeletionTimeout = TimeSpan.FromMinutes(2);

    private object? _seenPods;
    private object? _seenBudgets;
    private int _seenReplicas;

    /// <summary>Brings every budget's status up to date, where anything has changed that it is made from.</summary>
    public void Sync()
    {
        var pods = state.Store.Snapshot("/pods").Objects;
        var budgets = state.Store.Snapshot(Collection).Objects;
        if (budgets.IsEmpty)
        {
            return;
        }

        var replicas = Replicas(pods);
        if (ReferenceEquals(pods, _seenPods) && ReferenceEquals(budgets, _seenBudgets) && replicas == _seenReplicas)
        {
            return;
        }

        foreach (var budget in budgets.Values)
        {
            try
            {
                Sync(budget.Key);
            }
            catch (ApiException)
            {
                // Deleted meanwhile, or a race lost: that write brings us back.
            }
        }

        // What we wrote counts as a change: the next look finds that nothing is left to do.
        (_seenPods, _seenBudgets, _seenReplicas) = (pods, budgets, replicas);
    }

    /// <summary>Brings one budget's status up to date.</summary>
    /// <returns>The budget.</returns>
    public JsonObject Sync(ObjectKey key) => update.Update(TypeOf(), key, "status", WithStatus, WriteOptions.OfController());

    /// <summary>Budgets that cover a pod.</summary>
    public List<StoredObject> Of(JsonObject pod) =>
        [.. state.Store.Snapshot(Collection).Objects.Values.Where(
            budget => budget.Key.Namespace == pod.Namespace() && Selector(budget.Root)(pod))];

    /// <summary>Takes one disruption from a budget for a pod that is about to be deleted.</summary>
    /// <exception cref="ApiException">429: there is none left.</exception>
    public void Take(ObjectKey key, string pod, bool dryRun) => update.Update(
        TypeOf(), key, "status",
        live =>
        {
            var next = WithStatus(live);
            var status = next.Child("status");
            if (status.Integer("disruptionsAllowed") is not > 0)
            {
                throw ApiErrors.DisruptionBudgetUsedUp(
                    key.Name, status.Integer("desiredHealthy") ?? 0, status.Integer("currentHealthy") ?? 0);
            }

            status.Child("disruptedPods")[pod] = state.Now;
            status["disruptionsAllowed"] = status.Integer("disruptionsAllowed") - 1;
            SetCondition(status, live);
            return next;
        },
        new WriteOptions { FieldManager = "kube-apiserver", Validation = FieldValidation.Ignore, DryRun = dryRun });

    /// <summary>Whether the budget counts this pod as healthy.</summary>
    public static bool IsHealthy(JsonObject pod) =>
        pod.Items("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True");

    private JsonObject WithStatus(JsonObject budget)
    {
        var covered = Covered(budget);
        var disrupted = new JsonObject();
        foreach (var (name, since) in budget.At("status", "disruptedPods") as JsonObject ?? [])
        {
            var pod = covered.Find(one => one.Name() == name);
            if (pod is not null
                && !pod.IsDeleting()
                && DateTimeOffset.TryParse(since.Text(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                && time + DeletionTimeout > state.Clock.GetUtcNow())
            {
                disrupted[name] = since!.DeepClone();
            }
        }

        var healthy = covered.Count(pod => !pod.IsDeleting() && !disrupted.ContainsKey(pod.Name()) && IsHealthy(pod));
        var (expected, desired) = Wanted(budget, covered);
        var next = budget.Copy();
        var status = next.Child("status");
        status["observedGeneration"] = budget.Integer("metadata", "generation") ?? 0;
        status["currentHealthy"] = healthy;
        status["desiredHealthy"] = desired;
        status["expectedPods"] = expected;
        status["disruptionsAllowed"] = expected > 0 ? Math.Max(0, healthy - desired) : 0;
        if (disrupted.Count > 0)
        {
            status["disruptedPods"] = disrupted;
        }
        else
        {
            status.Remove("disruptedPods");
        }

        SetCondition(status, budget);
        return next;
    }

    /// <summary>How many pods there should be, and how many of them have to be healthy.</summary>
    private (long Expected, long Desired) Wanted(JsonObject budget, List<JsonObject> covered)
    {
        if (budget.At("spec", "maxUnavailable") is { } maximum)
        {
            var expected = Scale(covered);
            return (expected, Math.Max(0, expected - Amount(maximum, expected)));
        }

        var minimum = budget.At("spec", "minAvailable");
        if (minimum.AsInteger() is { } number)
        {
            return (covered.Count, number);
        }

        var scale = Scale(covered);
        return (scale, minimum is null ? 0 : Amount(minimum, scale));
    }

    /// <summary>Replicas that the controllers of these pods are asked for; a pod without such a controller does not count.</summary>
    private long Scale(List<JsonObject> pods) => Controllers(pods).Sum(controller => controller.Replicas);

    private List<(string Uid, long Replicas)> Controllers(IEnumerable<JsonObject> pods)
    {
        List<(string, long)> found = [];
        foreach (var (space, owner) in pods
            .SelectMany(pod => pod.Items("metadata", "ownerReferences").Where(o => o.Flag("controller")).Select(o => (pod.Namespace(), o)))
            .DistinctBy(one => one.o.Text("uid")))
        {
            var apiVersion = owner.Text("apiVersion") ?? "";
            var type = state.Registry.Types.FirstOrDefault(
                one => one.Scale is not null && one.Kind == owner.Text("kind") && one.ApiVersion == apiVersion);
            if (type is not null
                && state.Store.Get(type.Collection, new ObjectKey(space, owner.Text("name") ?? "")) is { } controller
                && controller.Uid == owner.Text("uid"))
            {
                found.Add((controller.Uid, controller.Root.Integer(type.Scale!.SpecReplicas) ?? 0));
            }
        }

        return found;
    }

    /// <summary>A number that changes when one of the pods' controllers is scaled.</summary>
    private int Replicas(IEnumerable<KeyValuePair<ObjectKey, StoredObject>> pods)
    {
        HashCode hash = default;
        foreach (var controller in Controllers(pods.Select(pod => pod.Value.Root)))
        {
            hash.Add(controller);
        }

        return hash.ToHashCode();
    }

    private List<JsonObject> Covered(JsonObject budget)
    {
        var matches = Selector(budget);
        return [.. state.Store.Snapshot("/pods").Objects.Values.Where(pod => pod.Key.Namespace == budget.Namespace() && matches(pod.Root))
            .Select(pod => pod.Root)];
    }

    /// <summary>No selector covers no pod, an empty one all.</summary>
    private static Func<JsonObject, bool> Selector(JsonObject budget) => budget.At("spec", "selector") is JsonObject selector
        ? LabelSelector.Parse(LabelSelector.Text(selector)).Matches
        : _ => false;

    private void SetCondition(JsonObject status, JsonObject budget)
    {
        var allowed = status.Integer("disruptionsAllowed") > 0;
        var (value, reason) = allowed ? ("True", "SufficientPods") : ("False", "InsufficientPods");
        var before = status.Items("conditions").FirstOrDefault(c => c.Text("type") == "DisruptionAllowed");
        status["conditions"] = new JsonArray(new JsonObject
        {
            ["type"] = "DisruptionAllowed",
            ["status"] = value,
            ["observedGeneration"] = budget.Integer("metadata", "generation") ?? 0,
            ["lastTransitionTime"] = before.Text("status") == value ? before.Text("lastTransitionTime") : state.Now,
            ["reason"] = reason,
            ["message"] = "",
        });
    }

    private ResourceType TypeOf() => state.Registry.Find("policy", "v1", "poddisruptionbudgets")!;

    // Percentages are rounded up, whichever they are of.
    private static long Amount(JsonNode value, long total) =>
        value.AsInteger()
            ?? (value.Text() is { } text && text.EndsWith('%') && double.TryParse(text[..^1], CultureInfo.InvariantCulture, out var percent)
                ? (long)Math.Ceiling(total * percent / 100)
                : 0);
}

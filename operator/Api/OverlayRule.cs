using System.Text.Json.Nodes;

namespace Cluster.Operator.Api;

/// <summary>What of one place of a pod an overlay may change: compares the pod before and after it. What is equal passes, whatever it
/// is.</summary>
internal abstract record OverlayRule
{
    /// <summary>Anything goes.</summary>
    public static OverlayRule Free { get; } = new FreeRule();

    /// <summary>Only with a privilege.</summary>
    public static OverlayRule Needs(PodPrivilege privilege) => new NeedsRule(privilege, MayRemove: false);

    /// <summary>Only with a privilege, but to take ours away needs none.</summary>
    public static OverlayRule Adding(PodPrivilege privilege) => new NeedsRule(privilege, MayRemove: true);

    /// <summary>Never, and what to do instead.</summary>
    public static OverlayRule Never(string reason) => new NeverRule(reason);

    /// <summary>Values that pass; others need a privilege. A value of ours that is taken away counts as another.</summary>
    public static OverlayRule Values(Func<JsonNode, bool> passes, PodPrivilege otherwise) => new ValuesRule(passes, otherwise);

    /// <summary>An object of these fields and no others.</summary>
    public static OverlayRule Fields(params ReadOnlySpan<(string Name, OverlayRule Rule)> fields)
    {
        Dictionary<string, OverlayRule> rules = new(StringComparer.Ordinal);
        foreach (var (name, rule) in fields)
        {
            rules.Add(name, rule);
        }

        return new FieldsRule(rules);
    }

    /// <summary>A map of which each key is looked at.</summary>
    public static OverlayRule Keys(Func<string, OverlayRule> ruleOf) => new KeysRule(ruleOf);

    /// <summary>A list whose items are told apart by a field.</summary>
    /// <param name="ruleOf">By the item as it is after the overlay.</param>
    public static OverlayRule Items(string key, Func<JsonObject, OverlayRule> ruleOf) => new ItemsRule(key, ruleOf);

    public void Check(JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
    {
        if (!JsonNode.DeepEquals(before, after))
        {
            CheckChange(before, after, path, policy, errors);
        }
    }

    protected abstract void CheckChange(JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors);

    private static void Require(PodPrivilege privilege, string path, PodPolicy policy, List<ValidationError> errors)
    {
        if (!policy.Allows(privilege))
        {
            errors.Add(PodPolicy.Missing(path, privilege));
        }
    }

    private static bool HasShape<T>(JsonNode? after, string path, List<ValidationError> errors)
        where T : JsonNode
    {
        if (after is null or T)
        {
            return true;
        }

        errors.Add(
            new(path, ValidationReason.Invalid,
                $"must be {(typeof(T) == typeof(JsonArray) ? "a list" : "a mapping")}, found {after.ToJsonString()}"));
        return false;
    }

    private sealed record FreeRule : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
        {
        }
    }

    private sealed record NeedsRule(PodPrivilege Privilege, bool MayRemove) : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
        {
            if (after is not null || !MayRemove)
            {
                Require(Privilege, path, policy, errors);
            }
        }
    }

    private sealed record NeverRule(string Reason) : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors) =>
            errors.Add(new(path, ValidationReason.Forbidden, Reason));
    }

    private sealed record ValuesRule(Func<JsonNode, bool> Passes, PodPrivilege Otherwise) : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
        {
            if (after is null || !Passes(after))
            {
                Require(Otherwise, path, policy, errors);
            }
        }
    }

    private sealed record FieldsRule(Dictionary<string, OverlayRule> Rules) : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
        {
            if (!HasShape<JsonObject>(after, path, errors))
            {
                return;
            }

            var (ours, theirs) = (before as JsonObject ?? [], after as JsonObject ?? []);
            foreach (var field in ours.Concat(theirs).Select(pair => pair.Key).Distinct(StringComparer.Ordinal))
            {
                var at = $"{path}.{field}";
                if (Rules.TryGetValue(field, out var rule))
                {
                    rule.Check(ours[field], theirs[field], at, policy, errors);
                }
                else if (!JsonNode.DeepEquals(ours[field], theirs[field]) || !ours.ContainsKey(field))
                {
                    errors.Add(
                        new(at, ValidationReason.NotSupported, "is no field that a podTemplate may set (docs/security.md has the list)"));
                }
            }
        }
    }

    private sealed record KeysRule(Func<string, OverlayRule> RuleOf) : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
        {
            if (!HasShape<JsonObject>(after, path, errors))
            {
                return;
            }

            foreach (var (key, value) in after as JsonObject ?? [])
            {
                RuleOf(key).Check(before?[key], value, $"{path}[{key}]", policy, errors);
            }
        }
    }

    private sealed record ItemsRule(string Key, Func<JsonObject, OverlayRule> RuleOf) : OverlayRule
    {
        protected override void CheckChange(
            JsonNode? before, JsonNode? after, string path, PodPolicy policy, List<ValidationError> errors)
        {
            if (!HasShape<JsonArray>(after, path, errors))
            {
                return;
            }

            var ours = (before as JsonArray ?? []).OfType<JsonObject>().ToList();
            foreach (var item in after as JsonArray ?? [])
            {
                if (HasShape<JsonObject>(item, $"{path}[]", errors) && item is JsonObject theirs)
                {
                    var name = theirs[Key]?.ToString();
                    RuleOf(theirs).Check(
                        ours.Find(one => one[Key]?.ToString() == name), theirs, $"{path}[{name}]", policy, errors);
                }
            }
        }
    }
}

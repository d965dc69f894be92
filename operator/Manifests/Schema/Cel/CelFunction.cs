namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>One overload of a function: used by <see cref="CelChecker"/> with static types and by <see cref="CelEvaluator"/> with
/// values.</summary>
/// <param name="IsMember">Called as <c>parameters[0].name(…)</c>.</param>
/// <param name="Parameters">Kinds that fit; Dyn takes all.</param>
/// <param name="Invoke">Gets as many values as there are parameters, each of its kind. Spends what the work costs.</param>
internal sealed record CelFunction(
    string Name, bool IsMember, IReadOnlyList<CelKind> Parameters, CelType Result, Func<object?[], CelBudget, object?> Invoke)
{
    public bool Takes(string name, bool isMember, IReadOnlyList<CelKind> kinds) =>
        Name == name && IsMember == isMember && Parameters.Count == kinds.Count
        && Parameters.Zip(kinds).All(pair => pair.First == CelKind.Dyn || pair.Second == CelKind.Dyn || pair.First == pair.Second);
}

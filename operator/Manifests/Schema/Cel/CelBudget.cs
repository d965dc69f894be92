namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>How much work evaluations may still do. A unit is one node of an expression, or ten characters of a string.</summary>
/// <remarks>The limits have the values of the real server's <c>PerCallLimit</c> and <c>RuntimeCELCostBudget</c>; what a unit is differs a
/// little.</remarks>
internal sealed class CelBudget(long units, CelBudget? whole = null)
{
    private const long PerRule = 1_000_000;
    private const long PerObject = 10_000_000;

    private long _left = units;

    /// <summary>It was asked for more than there was.</summary>
    public bool IsSpent => _left < 0;

    /// <summary>For all rules of one object.</summary>
    public static CelBudget ForObject() => new(PerObject);

    /// <summary>For one rule: bounded by itself and by what its object has left.</summary>
    public CelBudget ForRule() => new(PerRule, this);

    /// <exception cref="CelBudgetException">There is less left.</exception>
    public void Spend(long units)
    {
        whole?.Spend(units);
        _left -= units;
        if (_left < 0)
        {
            throw new CelBudgetException();
        }
    }

    /// <summary>For reading or making this many characters.</summary>
    /// <exception cref="CelBudgetException">There is less left.</exception>
    public void SpendText(long characters) => Spend(characters / 10);
}

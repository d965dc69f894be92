using System.Globalization;

namespace Cluster.Worker.Compute.Tuning;

/// <summary>A multiplication as a tuner sees it: all that decides which variant is fastest. Written as TunableOp writes it.</summary>
/// <remarks>
/// TunableOp sees x · wᵀ as BLAS does, by columns: the weights come first and are transposed.
/// <code>
/// GemmTunableOp_BFloat16_TN , tn_4096_16_14336_ld_14336_14336_4096
///               └ weights        └ N  └ M └ K     leading dimensions of w, x and the output
/// </code>
/// </remarks>
/// <param name="Type">Of the weights, as PyTorch names it where it has the type: <c>BFloat16</c>, <c>Half</c>, <c>float</c>.</param>
/// <param name="Outputs">N.</param>
/// <param name="Rows">M.</param>
/// <param name="Inputs">K.</param>
internal readonly record struct GemmShape(string Type, int Outputs, int Rows, int Inputs)
{
    private const string OperationPrefix = "GemmTunableOp_";
    private const string OperationSuffix = "_TN";

    public string Operation => $"{OperationPrefix}{Type}{OperationSuffix}";

    public string Parameters => string.Create(
        CultureInfo.InvariantCulture, $"tn_{Outputs}_{Rows}_{Inputs}_ld_{Inputs}_{Inputs}_{Outputs}");

    /// <returns>Null where it is no such shape, or not one of ours.</returns>
    public static GemmShape? Parse(string operation, string parameters)
    {
        if (!operation.StartsWith(OperationPrefix, StringComparison.Ordinal)
            || !operation.EndsWith(OperationSuffix, StringComparison.Ordinal)
            || operation.Length <= OperationPrefix.Length + OperationSuffix.Length)
        {
            return null;
        }

        // Files of older versions have no leading dimensions.
        var parts = parameters.Split('_');
        return parts.Length is 4 or 8 && parts[0] == "tn" && TryNumber(parts[1], out var outputs) && TryNumber(parts[2], out var rows)
            && TryNumber(parts[3], out var inputs)
                ? new GemmShape(operation[OperationPrefix.Length..^OperationSuffix.Length], outputs, rows, inputs)
                : null;
    }

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}

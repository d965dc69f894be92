using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Ptx;

/// <summary>Makes of ILGPU's PTX what our launcher and our arithmetic need, and reads from it what the launcher must know.</summary>
internal static partial class PtxSource
{
    private const int ViewBytes = 16;

    /// <param name="waves">Waves of a group: the exact group size lets the driver budget registers.</param>
    /// <param name="target">Processor to write for; ILGPU writes for older ones than it is told.</param>
    public static string Improve(string source, string target, int waves)
    {
        // What became an instruction stays behind as a function that nobody calls.
        source = Function().Replace(source, "");
        if (source.Contains(".func", StringComparison.Ordinal))
        {
            throw new NotSupportedException("ILGPU wrote a function of its own: kernels must be inlined as a whole");
        }

        source = Target().Replace(source, $".target {target}");
        // Without a rounding mode the driver may fuse a product and a sum: then a row's bits could depend on where in a loop it stands.
        source = Unrounded().Replace(source, "$1.rn.f32");

        // The space before the operation, as the PTX ISA has it.
        source = Atomic().Replace(source, "$1.$3.$2");
        source = EntryEnd().Replace(
            source,
            match => string.Create(
                CultureInfo.InvariantCulture, $"{match.Value[..^1]}.reqntid {Intrinsics.Wave.Lanes}, {waves}, 1\n{{"),
            count: 1);
        return ClSource.Renumber(source, CountedName());
    }

    /// <summary>Name of the kernel function.</summary>
    public static string EntryPoint(string source) => Entry().Match(source).Groups[1].Value;

    /// <summary>What it was written for: <c>sm_80</c>.</summary>
    public static string TargetOf(string source) => Target().Match(source).Groups[1].Value;

    /// <summary>Where arguments are written: parameters in order, each at a multiple of its alignment; a view is {address,
    /// length}.</summary>
    /// <exception cref="FormatException">The entry takes other arguments than the kernel.</exception>
    public static ArgumentLayout LayoutOf(string source, Kernel kernel)
    {
        var parameters = Parameter().Matches(Entry().Match(source).Groups[2].Value);
        if (parameters.Count != kernel.Parameters.Length)
        {
            throw new FormatException($"its entry takes {parameters.Count} parameters; the kernel has {kernel.Parameters.Length}");
        }

        var places = ImmutableArray.CreateBuilder<ArgumentPlace>(parameters.Count);
        var at = 0;
        for (var i = 0; i < parameters.Count; i++)
        {
            var isView = kernel.Parameters[i].ElementType is not null;
            var size = parameters[i].Groups[2];
            var bytes = int.Parse(size.Success ? size.Value : parameters[i].Groups[1].Value, CultureInfo.InvariantCulture)
                / (size.Success ? 1 : 8);
            if (bytes != (isView ? ViewBytes : sizeof(int)))
            {
                throw new FormatException($"its parameter {i} has {bytes} bytes");
            }

            var alignment = isView ? sizeof(long) : sizeof(int);
            at = (at + alignment - 1) / alignment * alignment;
            places.Add(isView
                ? new ArgumentPlace(at, at + sizeof(long), kernel.Parameters[i].ElementBytes)
                : new ArgumentPlace(at, -1, 0));
            at += bytes;
        }

        return at <= ArgumentLayout.MaxBytes
            ? new ArgumentLayout(at, places.MoveToImmutable())
            : throw new FormatException($"its arguments take {at} bytes");
    }

    [GeneratedRegex(@"\.visible \.func [^;{]*(;|\{.*?^\})", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Function();

    [GeneratedRegex(@"\b(add|sub|mul)\.f32")]
    private static partial Regex Unrounded();

    [GeneratedRegex(@"\b(atom|red)\.(\w+)\.(global|shared)\b")]
    private static partial Regex Atomic();

    [GeneratedRegex(@"^\)\s*\{", RegexOptions.Multiline)]
    private static partial Regex EntryEnd();

    [GeneratedRegex(@"\.entry (\w+)\(([^)]*)\)")]
    private static partial Regex Entry();

    [GeneratedRegex(@"\.target (\w+)")]
    private static partial Regex Target();

    [GeneratedRegex(@"\.param (?:\.align \d+ )?\.[a-z](\d+) \w+(?:\[(\d+)\])?")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"(?<![\w%.])(_\w*?_|L_|__shared_alloca|__local_depot)\d+\b")]
    private static partial Regex CountedName();
}

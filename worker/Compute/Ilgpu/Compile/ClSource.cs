using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Compute.Ilgpu.Compile;

/// <summary>Makes of ILGPU's OpenCL C what our launcher and real devices need.</summary>
internal static partial class ClSource
{
    /// <param name="source">As ILGPU has written it.</param>
    /// <param name="waves">Waves of a group: the exact group size lets the compiler budget registers.</param>
    /// <exception cref="NotSupportedException">The source has a barrier of a kind that is not corrected here.</exception>
    public static string Improve(string source, int waves)
    {
        // ILGPU fences global memory only, whatever a barrier is for. Newer ROCm device libraries take the flag at its word, and then waves
        // race in shared memory.
        source = source.Replace(
            "work_group_barrier ( CLK_GLOBAL_MEM_FENCE )", "work_group_barrier ( CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE )",
            StringComparison.Ordinal);

        // A fence of the device is a barrier besides, there, whose scope not every driver knows. All that is meant is that what was written
        // before can be seen by other groups.
        source = source.Replace(
            "work_group_barrier ( CLK_GLOBAL_MEM_FENCE ,  memory_scope_device )",
            "atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE, memory_order_acq_rel, memory_scope_device)", StringComparison.Ordinal);
        if (UnfencedBarrier().Match(source) is { Success: true } barrier)
        {
            throw new NotSupportedException(
                $"ILGPU wrote '{barrier.Value}', which does not fence shared memory: on AMD GPUs waves would race");
        }

        source = IntegerAdd().Replace(source, match => AddTo(source, match.Groups[1].Value));
        if (UnknownAtomic().Match(source) is { Success: true } atomic)
        {
            throw new NotSupportedException($"ILGPU wrote '{atomic.Value}', which is not OpenCL C of every version");
        }

        // One access instead of four: structs of four 32-bit fields are 16 bytes apart in memory anyway.
        source = QuadStruct().Replace(source, "struct __attribute__((aligned(16))) $1\n{$2};");

        // A view is {int offset, long length}, with room for 8 bytes in front of the length: our launcher writes all 64 bits.
        source = ViewStruct().Replace(source, "struct $1_kernel\n{\n\tlong field_0;\n\tlong field_1;\n};");
        source = source.Replace(
            "kernel void ",
            string.Create(
                CultureInfo.InvariantCulture,
                $"__attribute__((reqd_work_group_size({Intrinsics.Wave.Lanes}, {waves}, 1))) kernel void "),
            StringComparison.Ordinal);

        // A product and a sum are fused only where the kernel says so: else a row's bits could depend on where in a loop it stands.
        return "#pragma OPENCL FP_CONTRACT OFF\n" + Renumber(source, CountedName());
    }

    /// <summary>Name of the kernel function.</summary>
    public static string EntryPoint(string source) => KernelName().Match(source).Groups[1].Value;

    /// <summary>ILGPU counts types and labels through the whole process, so that a kernel's text would depend on what was compiled before
    /// it: here they are counted in each text anew.</summary>
    internal static string Renumber(string source, Regex countedName)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        return countedName.Replace(source, match =>
        {
            if (!names.TryGetValue(match.Value, out var name))
            {
                name = string.Create(CultureInfo.InvariantCulture, $"{match.Groups[1].Value}{names.Count}");
                names.Add(match.Value, name);
            }

            return name;
        });
    }

    [GeneratedRegex(@"\b(type_|L_)\d+")]
    private static partial Regex CountedName();

    /// <summary>ILGPU's own atomics go through generic pointers and are sequentially consistent over the device: two features that a driver
    /// may lack. Additions in shared and device memory have been in OpenCL C since its first version.</summary>
    private static string AddTo(string source, string pointer)
    {
        var type = Regex.Match(source, $@"\t(\w+) {pointer};").Groups[1].Value;
        return Regex.Match(source, $@"typedef (local|global) u?int\* {type};") is { Success: true } space
            ? $"atomic_add ((volatile {space.Groups[1].Value} uint*){pointer},"
            : throw new NotSupportedException($"ILGPU wrote an atomic addition to '{pointer}', which is in no known memory");
    }

    [GeneratedRegex(@"atomic_fetch_add \(\(atomic_uint\*\)(\w+),")]
    private static partial Regex IntegerAdd();

    [GeneratedRegex(@"\batomic_(?!add \(\(volatile (?:local|global) )\w+ \(")]
    private static partial Regex UnknownAtomic();

    [GeneratedRegex(@"struct (type_\d+)\s*\{((?:\s*(?:int|uint|float) field_\d;){4}\s*)\};")]
    private static partial Regex QuadStruct();

    [GeneratedRegex(@"struct (type_\d+)_kernel\s*\{\s*int field_0;\s*long field_1;\s*\};")]
    private static partial Regex ViewStruct();

    [GeneratedRegex(@"\w*barrier\s*\((?!\s*CLK_LOCAL_MEM_FENCE \| CLK_GLOBAL_MEM_FENCE \))[^)]*\)")]
    private static partial Regex UnfencedBarrier();

    [GeneratedRegex(@"kernel void (\w+)")]
    private static partial Regex KernelName();
}

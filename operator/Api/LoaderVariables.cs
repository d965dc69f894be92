using System.Text.RegularExpressions;

namespace Cluster.Operator.Api;

/// <summary>Environment variables that have a process load other code, or that are between the operator and the worker. Whoever may set
/// them in the worker's container, and mount a claim there, runs what they like in it.</summary>
internal static partial class LoaderVariables
{
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal) { "CLUSTER_API_KEY", "CLUSTER_LOG_LEVEL" };

    public static bool IsOne(string? name) => name is not null && !Harmless.Contains(name) && Pattern().IsMatch(name);

    // The dynamic linker, the .NET runtime, OpenSSL, and what loads plugins by name or path: OpenCL's loader, ROCm, NCCL and RCCL.
    [GeneratedRegex(
        @"^(LD_.*|PATH|HOME|SHELL|BASH_ENV|ENV|GLIBC_.*|GCONV_PATH|LOCPATH|DOTNET_.*|COMPLUS_.*|CORECLR_.*|COR_.*|ASPNETCORE_.*|CLUSTER_.*"
        + @"|OPENSSL_.*|OCL_.*|OPENCL_.*|ROCP_.*|ROCPROFILER_.*|ROCTRACER_.*|HSA_TOOLS_.*|ROCM_PATH|ROCM_HOME|HIP_PATH|LLVM_PATH"
        + @"|.*PLUGIN.*|.*_LIB|.*_LIBS|.*_LIBRARY|.*LIBRARY_PATH|.*_PRELOAD|XDG_CACHE_HOME)\z",
        RegexOptions.IgnoreCase)]
    private static partial Regex Pattern();
}

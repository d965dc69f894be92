using System.Text.RegularExpressions;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands.Lines;

/// <summary>Variables that tune PyTorch, Triton, HIP's launcher or vLLM's own processes, none of which are here. Whoever sets one is told
/// once, so that nobody measures a switch that is not there. Part of <see cref="LineBuilder"/>.</summary>
internal static partial class InertVariables
{
    private static readonly string[] Names =
    [
        "AMDGCN_USE_BUFFER_OPS", "FLASH_ATTENTION_TRITON_AMD_ENABLE", "HIP_FORCE_DEV_KERNARG", "PYTORCH_ROCM_ARCH",
        "PYTORCH_HIP_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "RAY_EXPERIMENTAL_NOSET_ROCR_VISIBLE_DEVICES",
        "ROCM_USE_FLASH_ATTN_V2_TRITON", "SAFETENSORS_FAST_GPU", "TOKENIZERS_PARALLELISM", "TORCH_BLAS_PREFER_HIPBLASLT",
        "TRITON_HIP_PRESHUFFLE_SCALES", "TRUST_REMOTE_CODE", "USE_FASTSAFETENSOR",
    ];

    /// <returns>One line with the variables that are set; null where none is.</returns>
    public static string? Note(IReadOnlyDictionary<string, string> variables)
    {
        var set = variables.Keys.Where(name => IsInert(name, variables[name])).Order(StringComparer.Ordinal).ToList();
        return set.Count == 0 ? null
            : $"set in the environment and without effect here: {string.Join(", ", set)} (they are for PyTorch, Triton, HIP or vLLM)";
    }

    private static bool IsInert(string name, string value) =>
        Names.Contains(name)
        || name.StartsWith("PYTORCH_TUNABLEOP_", StringComparison.Ordinal) && !TunableOp.Variables.Contains(name)
        || name.StartsWith("VLLM_", StringComparison.Ordinal)
            && !EnvironmentOptions.Used.Contains(name)
            && !OfService().IsMatch(name)
            && !value.StartsWith("tcp://", StringComparison.Ordinal);

    /// <summary>What Kubernetes sets in every pod for a Service called vllm.</summary>
    [GeneratedRegex("_SERVICE_(HOST|PORT)|_PORT_[0-9]+_")]
    private static partial Regex OfService();
}

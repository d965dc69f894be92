namespace Cluster.Common;

/// <summary>How weights can be quantized, and where a checkpoint says so. The one table for <c>--quantization</c>, the CRD, the worker's
/// readers and the operator's sizing: what the operator places, the worker loads.</summary>
internal static class QuantizationMethods
{
    public const string Fp8 = "fp8";

    /// <summary>Meta's Llama 3.1 405B: FP8 weights with a scale for each output.</summary>
    public const string FbgemmFp8 = "fbgemm_fp8";

    public const string Gptq = "gptq";
    public const string Awq = "awq";
    public const string SqueezeLlm = "squeezellm";
    public const string CompressedTensors = "compressed-tensors";

    /// <summary>Blocks of GGUF files, whatever their types.</summary>
    public const string Gguf = "gguf";

    /// <summary>AMD's quantizer: FP8 weights, with scales for an FP8 cache.</summary>
    public const string Quark = "quark";

    /// <summary>gpt-oss: experts of 4-bit floats with a power of two as the scale of 32.</summary>
    public const string Mxfp4 = "mxfp4";

    /// <summary>No method of checkpoints: 8-bit integers that a worker makes of weights.</summary>
    public const string Int8 = "int8";

    /// <summary>What weights that are not quantized can be rounded to while they are loaded.</summary>
    public static IReadOnlyList<string> AtLoad { get; } = [Fp8, Int8];

    /// <summary>The field of config.json that names the method.</summary>
    public const string MethodField = "quant_method";

    /// <summary>As <c>quant_method</c> spells them.</summary>
    public static IReadOnlyList<string> All { get; } = [Fp8, CompressedTensors, Gptq, Awq, SqueezeLlm, FbgemmFp8, Quark, Mxfp4, Gguf];

    /// <summary>Fields of config.json that hold the settings; the first that is there counts. The second is compressed-tensors' own of
    /// before it moved to the first.</summary>
    public static IReadOnlyList<string> ConfigFields { get; } = ["quantization_config", "compression_config"];

    /// <summary>Files beside config.json that hold them where it does not: AutoGPTQ's and AutoAWQ's.</summary>
    public static IReadOnlyList<string> Files { get; } = ["quantize_config.json", "quant_config.json"];

    /// <summary>The method of settings that do not name one; null where it cannot be told.</summary>
    /// <param name="place">One of <see cref="ConfigFields"/> or <see cref="Files"/>.</param>
    /// <param name="has">Whether the settings have a field.</param>
    public static string? Implied(string place, Predicate<string> has) => place switch
    {
        "compression_config" => CompressedTensors,
        "quantize_config.json" or "quant_config.json" when has("wbits") => SqueezeLlm,
        "quantize_config.json" or "quant_config.json" when has("w_bit") || has("q_group_size") || has("zero_point") => Awq,
        "quantize_config.json" when has("bits") => Gptq,
        "quant_config.json" when has("bits") && has("desc_act") => Gptq,
        _ => null,
    };
}

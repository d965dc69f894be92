namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Checkpoints in every format that is read, with logits of the dequantized model.</summary>
internal static class QuantizedCheckpoints
{
    /// <summary>haiku-1m, which has learned something.</summary>
    public static readonly string[] Haiku =
    [
        "awq", "ct-w4a16", "ct-w4a16-asym", "ct-w8a16", "ct-w8a8", "fp8-block", "fp8-compressed-tensors", "fp8-dynamic", "fp8-static",
        "gptq", "gptq-act-order", "quark-fp8-kv", "squeezellm",
    ];

    public static readonly string[] Names = [.. Haiku, "gpt-oss-mxfp4"];

    public static string Folder(string name) => Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "goldens", "quantized", name);

    public static string Golden(string name) => Path.Combine(Folder(name), "golden.safetensors");
}

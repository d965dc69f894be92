
namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>haiku-1m in every format that is read, with logits of the dequantized model.</summary>
internal static class QuantizedCheckpoints
{
    public static readonly string[] Names = [
        "awq", "fp8-compressed-tensors", "fp8-dynamic", "fp8-static", "gptq", "gptq-act-order", "squeezellm"];

    public static string Folder(string name) => Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "goldens", "quantized", name);

    public static string Golden(string name) => Path.Combine(Folder(name), "golden.safetensors");
}

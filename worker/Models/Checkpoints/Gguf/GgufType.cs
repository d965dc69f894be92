namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>How a tensor's elements are stored. Numbers are those of the file format (ggml's <c>ggml_type</c>).</summary>
internal enum GgufType
{
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q8_0 = 8,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    BF16 = 30,
}

using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A lane's four neighbouring outputs of its row, as matrix cores leave them.</summary>
internal static class OutputQuad
{
    /// <summary>Stores those of them that there are, with their biases.</summary>
    /// <param name="firstBias">Of the matrix.</param>
    /// <param name="row">Where the matrix' first output of the row is stored.</param>
    /// <param name="output">The first of the four.</param>
    public static void Store(
        Float4 sums, ArrayView<float> bias, long firstBias, ArrayView<float> y, long row, int output, int outputs)
    {
        var at = row + output;
        var biasAt = firstBias + output;
        if (output + 3 < outputs)
        {
            y[at] = sums.X + bias[biasAt];
            y[at + 1] = sums.Y + bias[biasAt + 1];
            y[at + 2] = sums.Z + bias[biasAt + 2];
            y[at + 3] = sums.W + bias[biasAt + 3];
            return;
        }

        if (output < outputs)
        {
            y[at] = sums.X + bias[biasAt];
        }

        if (output + 1 < outputs)
        {
            y[at + 1] = sums.Y + bias[biasAt + 1];
        }

        if (output + 2 < outputs)
        {
            y[at + 2] = sums.Z + bias[biasAt + 2];
        }
    }
}

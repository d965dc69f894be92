namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>The functions of <see cref="Activation"/>, chosen while a kernel runs: for kernels that come in many kinds already.</summary>
internal static class GateFunctions
{
    /// <param name="activation">An <see cref="Activation"/>.</param>
    public static float Apply(int activation, float x)
    {
        if (activation == (int)Activation.Silu)
        {
            return default(SiluFunction).Apply(x, 0f);
        }

        if (activation == (int)Activation.GeluTanh)
        {
            return default(GeluTanhFunction).Apply(x, 0f);
        }

        if (activation == (int)Activation.Gelu)
        {
            return default(GeluFunction).Apply(x, 0f);
        }

        if (activation == (int)Activation.Sigmoid)
        {
            return default(SigmoidFunction).Apply(x, 0f);
        }

        var positive = default(ReluFunction).Apply(x, 0f);
        return activation == (int)Activation.Relu2 ? positive * positive : positive;
    }
}

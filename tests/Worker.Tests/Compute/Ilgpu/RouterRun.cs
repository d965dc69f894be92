using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A router with the choice of experts, as one operation and as two.</summary>
internal static class RouterRun
{
    private const int Inputs = 24, Experts = 70, Chosen = 3;

    /// <summary>Logits, experts and weights, twice over so that what a launch leaves behind shows.</summary>
    public static float[] Run(BackendUnderTest device, int rows, bool asOne)
    {
        var random = new Random(rows);
        var x = device.Floats(HostTensors.Random(random, rows * Inputs), rows, Inputs);
        var router = device.Backend.LoadLinear(
            "router", [HostTensors.Of("w", DType.BF16, HostTensors.Random(random, Experts * Inputs), Experts, Inputs)]);
        var correction = device.Floats(HostTensors.Random(random, Experts), 1, Experts);
        var routing = new ExpertRouting(ExpertScoring.Sigmoid) { Normalize = true, Scale = 2.5f };
        var results = new List<float>();
        for (var time = 0; time < 2; time++)
        {
            Tensor logits = device.Empty(rows, Experts), weights = device.Empty(rows, Chosen);
            var experts = device.Integers(rows, Chosen, new int[rows * Chosen]);
            if (asOne)
            {
                device.Backend.Route(x, router, logits, routing, correction, experts, weights);
            }
            else
            {
                device.Backend.Linear(x, router, logits);
                device.Backend.RouteToExperts(logits, routing, correction, experts, weights);
            }

            results.AddRange(device.Read(logits));
            results.AddRange(device.ReadIntegers(experts, Experts).Select(expert => (float)expert));
            results.AddRange(device.Read(weights));
        }

        return [.. results];
    }
}

using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Compute;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>The routing rules of published models, on numbers of experts that are theirs and on odd ones.</summary>
internal sealed record RoutingCase(string Name, int Tokens, int Experts, int Chosen, ExpertRouting Routing, float Correction = 0)
{
    public static IReadOnlyList<RoutingCase> All { get; } =
    [
        new("one expert", 1, 1, 1, new(ExpertScoring.SoftmaxOfChosen)),
        new("mixtral", 3, 8, 2, new(ExpertScoring.SoftmaxOfChosen)),
        new("qwen3-moe", 21, 128, 8, new(ExpertScoring.SoftmaxOfChosen)),
        new("olmoe", 5, 64, 8, new(ExpertScoring.Softmax)),
        new("all experts", 70, 13, 13, new(ExpertScoring.Softmax)),
        new("ernie4.5-moe", 17, 67, 6, new(ExpertScoring.Softmax) { Normalize = true, MinSum = 1e-12f }, 0.05f),
        new("a large least sum", 17, 67, 3, new(ExpertScoring.Softmax) { Normalize = true, MinSum = 0.5f }, 0.05f),
        new("deepseek-v2", 9, 160, 6, new(ExpertScoring.Softmax) { Groups = 8, GroupsChosen = 3, Scale = 16 }),
        new("deepseek-v3", 9, 256, 8, V3(8, 4, 2.5f), 0.1f),
        new("kimi-k2", 5, 384, 8, V3(1, 1, 2.827f), 0.1f),
        new("uncorrected groups", 70, 35, 4, V3(5, 2, 1)),
        new("groups of one", 7, 6, 2, V3(6, 3, 1), 0.1f),
        new("minimax-m2", 11, 256, 8, new(ExpertScoring.Sigmoid) { Normalize = true }, 0.2f),
        new("llama4", 12, 16, 1, new(ExpertScoring.Sigmoid)),
        new("phimoe", 40, 16, 2, new(ExpertScoring.SparseMixer) { Jitter = 0.01f }),
        new("a wide mixer", 40, 130, 3, new(ExpertScoring.SparseMixer) { Jitter = 0.2f }),
    ];

    public static TheoryData<string> Names => [.. All.Select(one => one.Name)];

    public static RoutingCase Of(string name) => All.Single(one => one.Name == name);

    public float[] Logits => HostTensors.Random(new Random(Experts), Tokens * Experts, 4);

    public float[]? Corrections => Correction == 0 ? null : HostTensors.Random(new Random(Chosen), Experts, Correction);

    private static ExpertRouting V3(int groups, int chosen, float scale) => new(ExpertScoring.Sigmoid)
    {
        Normalize = true,
        Groups = groups,
        GroupsChosen = chosen,
        GroupScore = GroupScore.SumOfTwo,
        Scale = scale,
    };
}

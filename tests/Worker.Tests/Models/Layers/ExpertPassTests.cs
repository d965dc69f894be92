using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>What mixtures of experts ask of a device, seen by a backend without data.</summary>
public sealed class ExpertPassTests
{
    private const string Mlp = "Linear GatedActivation Linear";

    [Theory]
    [InlineData("mixtral", "Linear RouteToExperts ExpertLinear GatedActivation ExpertLinear SumExperts")]
    [InlineData("gpt-oss", "Linear RouteToExperts ExpertLinear ClampedActivation ExpertLinear SumExperts")]
    [InlineData("glm4-moe", Mlp + " Linear RouteToExperts ExpertLinear GatedActivation ExpertLinear SumExperts Add")]
    [InlineData(
        "qwen2-moe", Mlp + " Linear Activate ScaleRows Linear RouteToExperts ExpertLinear GatedActivation ExpertLinear SumExperts Add")]
    [InlineData("llama4", Mlp + " Linear RouteToExperts ExpertLinear ScaleRows GatedActivation ExpertLinear SumExperts Add")]
    public void A_layer_with_experts_is_a_fixed_list_of_operations(string name, string operations)
    {
        var (config, pass) = Pass(name);

        var names = string.Join(' ', pass.Select(operation => operation[..operation.IndexOf('(', StringComparison.Ordinal)]));

        var sparse = Enumerable.Range(0, config.NumLayers).Count(config.Moe!.HasExperts);
        Assert.Equal(sparse + 1, names.Split(" AddRmsNorm " + operations + " ").Length);
    }

    [Fact]
    public void A_weight_of_an_input_is_none_of_an_output()
    {
        var (_, pass) = Pass("llama4");

        Assert.All(
            pass.Where(operation => operation.StartsWith("SumExperts", StringComparison.Ordinal)),
            operation => Assert.Contains(", none, ", operation, StringComparison.Ordinal));
        Assert.Contains(pass, operation => operation.StartsWith("ScaleRows(expert_gate_up", StringComparison.Ordinal));
    }

    [Theory, InlineData("glm4-moe", true), InlineData("ernie4.5-moe", true), InlineData("minimax-m2", true), InlineData("olmoe", false)]
    public void Corrections_reach_the_router(string name, bool corrected)
    {
        var (_, pass) = Pass(name);

        Assert.All(
            pass.Where(operation => operation.StartsWith("RouteToExperts", StringComparison.Ordinal)),
            operation => Assert.Equal(corrected, operation.Contains("e_score_correction_bias", StringComparison.Ordinal)));
    }

    private static (ModelConfig Config, IReadOnlyList<string> Pass) Pass(string name)
    {
        const int Tokens = 3, MaxBlocks = 13;
        var backend = new RecordingBackend();
        var options = new ModelRunnerOptions { MaxBatchedTokens = 64, MaxSequences = 4, MaxModelLength = 200 };
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, options);
        var groups = model.Runner.KvGroups.Count;
        model.Runner.Launch(new StepBatch
        {
            NumGroups = groups,
            NumSequences = 1,
            NumLogits = 1,
            NumTokens = Tokens,
            MaxBlocks = MaxBlocks,
            MaxQueryLength = Tokens,
            MaxContextLength = Tokens,
            QueryStarts = [0, Tokens],
            ContextLengths = [Tokens],
            TokenIds = new int[Tokens],
            Positions = [.. Enumerable.Range(0, Tokens)],
            SlotMapping = [.. Enumerable.Range(0, groups * Tokens).Select(row => row % Tokens)],
            BlockTables = new int[groups * MaxBlocks],
            LogitRows = [Tokens - 1],
        });
        return (model.Config, [.. backend.TakePass()]);
    }
}

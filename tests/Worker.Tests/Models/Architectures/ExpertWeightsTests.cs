using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Checkpoints;

namespace Cluster.Worker.Tests.Models.Architectures;

/// <summary>Experts however checkpoints store them.</summary>
public sealed class ExpertWeightsTests
{
    [Fact]
    public void Llama4_may_have_a_linear_layer_for_each_expert()
    {
        var (_, weights) = ModelLoader.Open(Fixtures.Checkpoint("llama4"));
        var separate = new EditedWeights(weights);
        foreach (var layer in new[] { 1, 3 })
        {
            var prefix = $"model.layers.{layer}.feed_forward.experts.";
            var (gateUp, down) = (weights.Find(prefix + "gate_up_proj")!, weights.Find(prefix + "down_proj")!);
            separate.Without(prefix + "gate_up_proj").Without(prefix + "down_proj");
            for (var expert = 0; expert < gateUp.Shape[0]; expert++)
            {
                var features = down.Shape[1];
                Put($"{prefix}{expert}.gate_proj.weight", gateUp.Item(expert), 0, features);
                Put($"{prefix}{expert}.up_proj.weight", gateUp.Item(expert), features, features);
                Put($"{prefix}{expert}.down_proj.weight", down.Item(expert), 0, down.Shape[2]);
            }
        }

        Assert.Equal(Logits(weights), Logits(separate));

        // Columns of [in, out] become rows.
        void Put(string name, HostTensor stored, int first, int outputs)
        {
            var (inputs, values) = (stored.Shape[0], WeightReader.ReadAll(stored));
            var turned = new float[outputs * inputs];
            for (var i = 0; i < turned.Length; i++)
            {
                turned[i] = values[(i % inputs * stored.Shape[1]) + first + (i / inputs)];
            }

            separate.With(name, HostTensors.Of(name, DType.BF16, turned, outputs, inputs));
        }
    }

    [Fact]
    public void Tensors_of_layers_that_predict_further_tokens_are_left_out()
    {
        var glm = ModelConfig.Load(Fixtures.Checkpoint("glm4-moe"));
        var ernie = ModelConfig.Load(Fixtures.Checkpoint("ernie4.5-moe"));

        Assert.True(ernie.Architecture.IsIgnorable("model.mtp_block.0.mlp.up_proj.weight", ernie));
        Assert.False(glm.Architecture.IsIgnorable("model.layers.4.eh_proj.weight", glm));
        Assert.True(glm.Architecture.IsIgnorable("model.layers.4.eh_proj.weight", glm with { PredictionLayers = 1 }));
    }

    private static float[] Logits(WeightSource weights)
    {
        const int Length = 24;
        var (config, _) = ModelLoader.Open(Fixtures.Checkpoint("llama4"));
        var options = new ModelRunnerOptions { MaxSequences = 1, MaxBatchedTokens = Length, MaxLogits = Length, MaxModelLength = 64 };
        using var model = ModelLoader.Load(config, weights, CpuBackend.Create(new CpuOptions { Threads = 1 }), options);
        var sequences = new PackedSequences(model.Runner, 1, Length);
        sequences.Add(0, [.. Enumerable.Range(0, Length).Select(i => i * 37 % config.VocabSize)]);
        return sequences.Run().ToArray();
    }
}

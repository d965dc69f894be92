using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Tuning;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Startup;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Startup;

/// <summary>Variables and file of PyTorch's TunableOp, on a model.</summary>
public sealed class TunableOpTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private readonly List<string> _log = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(null, null, null, null)]
    [InlineData("0", "1", null, null)]
    [InlineData("true", "1", null, null)]
    [InlineData("1", null, null, "tunes tunableop_results3.csv")]
    [InlineData("1", "1", "results", "tunes results3")]
    [InlineData("1", "0", "/tmp/r.csv", "loads /tmp/r3.csv")]
    [InlineData("1", "0", "r%d_x.csv", "loads r3_x.csv")]
    [InlineData("1", "1", "", "tunes tunableop_results3.csv")]
    public void Variables_mean_what_they_mean_to_PyTorch(string? enabled, string? tuning, string? file, string? expected)
    {
        var op = TunableOp.OfEnvironment(name => name switch
        {
            "PYTORCH_TUNABLEOP_ENABLED" => enabled,
            "PYTORCH_TUNABLEOP_TUNING" => tuning,
            "PYTORCH_TUNABLEOP_FILENAME" => file,
            _ => null,
        });
        Assert.Equal(expected, op is null ? null : $"{(op.Tunes ? "tunes" : "loads")} {op.FileOf(3)}");
    }

    [Fact]
    public void A_model_is_tuned_once_keeps_its_bits_and_is_loaded_from_the_file_later()
    {
        var usual = Logits(null, out _);
        var first = Logits(Op(), out var tuned);

        Assert.Equal(usual, first);
        Assert.True(tuned.Chosen.Count > 8);
        Assert.All(tuned.Chosen.Keys, shape => Assert.Equal("BFloat16", shape.Type));
        Assert.Equal(tuned.Chosen.Count, _log.Count(line => line.StartsWith("shape ", StringComparison.Ordinal)));
        Assert.Contains(_log, line => line.EndsWith("results0.csv yet", StringComparison.Ordinal));
        var text = File.ReadAllText(Op().FileOf(0));
        Assert.StartsWith("Validator,PT_VERSION,cluster-", text, StringComparison.Ordinal);
        Assert.Contains("GemmTunableOp_BFloat16_TN,tn_", text, StringComparison.Ordinal);

        _log.Clear();
        Assert.Equal(usual, Logits(Op(), out var loaded));
        Assert.Equal($"tuning: {tuned.Chosen.Count} multiplications of {Op().FileOf(0)}", Assert.Single(_log));
        Assert.Equal(
            tuned.Chosen.Select(c => (c.Key, c.Value.Name)).ToHashSet(), loaded.Chosen.Select(c => (c.Key, c.Value.Name)).ToHashSet());
        Assert.Equal(text, File.ReadAllText(Op().FileOf(0)));
    }

    [Fact]
    public void Bits_stay_whatever_the_file_chooses()
    {
        var usual = Logits(null, out _);
        Logits(Op(), out var tuned);
        foreach (var pick in new[] { 0, 3, 7 })
        {
            using var backend = NewBackend();
            var chosen = tuned.Chosen.Keys.ToDictionary(
                shape => shape,
                shape => shape.Rows == 1
                    ? new TunedVariant(Cluster.Worker.Compute.Cpu.Gemm.GemmCut.ForOneTile[pick % 5], 1)
                    : new TunedVariant(Cluster.Worker.Compute.Cpu.Gemm.GemmCut.ForManyTiles[pick + 1], 1));
            TuningFile.Write(Op().FileOf(0), TunableOp.Validators(backend), chosen);
            Assert.Equal(usual, Logits(Op() with { Tunes = false }, out var loaded));
            Assert.Equal(chosen.Count, loaded.Chosen.Count);
        }
    }

    [Fact]
    public void A_file_of_another_machine_is_rejected_with_a_line_and_written_anew()
    {
        File.WriteAllText(
            Op().FileOf(0),
            "Validator,PT_VERSION,2.4.0\nValidator,GCN_ARCH_NAME,gfx942\nGemmTunableOp_float_TN,tn_200_100_20,Gemm_Rocblas_32323,0.0067\n");
        Logits(Op() with { Tunes = false }, out var untuned);
        Assert.Empty(untuned.Chosen);
        Assert.Contains("is rejected: its validator PT_VERSION is '2.4.0', and here it is 'cluster-", Assert.Single(_log),
            StringComparison.Ordinal);

        Logits(Op(), out _);
        Assert.DoesNotContain("Rocblas", File.ReadAllText(Op().FileOf(0)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_written_costs_a_line_and_not_the_start()
    {
        var op = Op() with { FileName = Path.Combine(_folder, "no", "such", "r.csv") };
        Assert.Equal(Logits(null, out _), Logits(op, out var tuned));
        Assert.NotEmpty(tuned.Chosen);
        Assert.Contains("cannot be written, so the next start tunes again", _log[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_that_is_there_to_write_the_file_fails_without_it()
    {
        var op = Op() with { FileName = Path.Combine(_folder, "no", "such", "r.csv"), RequiresFile = true };
        var refused = Assert.Throws<StartupException>(() => Logits(op, out _));

        Assert.StartsWith($"tuning: {op.FileOf(0)} cannot be written: ", refused.Message, StringComparison.Ordinal);
    }

    private TunableOp Op() => new(Tunes: true, Path.Combine(_folder, "results.csv"), TimeSpan.FromMilliseconds(0.1))
    {
        Progress = new Lines(shape => _log.Add($"shape {shape.Done} of {shape.Total}")),
    };

    private static CpuBackend NewBackend() => CpuBackend.Create(
        new CpuOptions { Width = VectorWidth.Bits256, Threads = 2, MemoryBytes = 1L << 28 });

    private float[] Logits(TunableOp? op, out GemmTuning tuning)
    {
        var backend = NewBackend();
        tuning = backend.Tuning;
        op?.Load(backend, 0, _log.Add);
        using var runner = ModelLoader.Load(
            Fixtures.Haiku, backend, new ModelRunnerOptions { MaxSequences = 4, MaxModelLength = 64, MaxBatchedTokens = 32 },
            weightsLoaded: () => op?.Tune(backend, 0, 32, _log.Add)).Runner;
        runner.Launch(FakeModelRunner.OneToken);
        return runner.WaitForLogits().ToArray();
    }

    private sealed class Lines(Action<TunedShape> told) : IProgress<TunedShape>
    {
        public void Report(TunedShape value) => told(value);
    }
}

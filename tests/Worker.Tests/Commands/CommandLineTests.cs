using System.CommandLine;
using Cluster.Common;
using Cluster.Worker.Commands;

namespace Cluster.Worker.Tests.Commands;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("serve --model m --dtype int8", "--dtype int8: must be auto, half, float16, bfloat16, float or float32", "serve")]
    [InlineData("serve --model m --device gpu", "--device gpu: must be auto, cpu, hip, cuda, opencl or interpreter", "serve")]
    [InlineData("serve --model m --seed x", "--seed x: expected a whole number", "serve")]
    [InlineData("serve --model m --cpu-threads 0", "--cpu-threads 0: must be at least 1", "serve")]
    [InlineData("serve --model m --max-model-len -5", "--max-model-len -5: must be at least 1", "serve")]
    [InlineData("serve --model m -tp 65", "--tensor-parallel-size 65: must be 1 to 64", "serve")]
    [InlineData("serve --model m --gpu-memory-utilization 90", "--gpu-memory-utilization 90: must be 0.01 to 1", "serve")]
    [InlineData("serve --model m --gpu-memory-utilization most", "--gpu-memory-utilization most: expected a number", "serve")]
    [InlineData("serve --model m --port http", "--port http: expected a whole number", "serve")]
    [InlineData(
        "serve --model m --no-enable-prefix-caching --enable-prefix-caching",
        "--enable-prefix-caching and --no-enable-prefix-caching cannot be used together", "serve")]
    [InlineData("generate --model m --prompt x --temperature -1", "--temperature -1: must be at least 0", "generate")]
    [InlineData("generate --model m --prompt x --max-tokens 0", "--max-tokens 0: must be at least 1", "generate")]
    [InlineData("bench serve --dataset-name poems", "--dataset-name poems: must be random, sharegpt, sonnet or trace", "bench serve")]
    public void A_wrong_value_is_told_with_its_flag_and_what_would_be_right(string line, string error, string command) =>
        Assert.Equal(
            [error, $"see: cluster-worker {command} --help"],
            CommandRunner.Explain(Root().Parse(line), "cluster-worker").Split(Environment.NewLine));

    [Theory]
    [InlineData("", true, true)]
    [InlineData("--no-enable-prefix-caching", false, true)]
    [InlineData("--enable-prefix-caching false", false, true)]
    [InlineData("--enable-prefix-caching --enable-chunked-prefill=false", true, false)]
    public void What_is_on_by_default_can_be_turned_off_in_both_of_vLLMs_ways(string line, bool prefixCaching, bool chunkedPrefill)
    {
        var flags = new EngineFlags();
        var command = new RootCommand();
        flags.AddTo(command);

        var arguments = command.Parse($"--model m {line}");

        Assert.Empty(arguments.Errors);
        Assert.Equal((prefixCaching, chunkedPrefill), (flags.PrefixCaching.IsOn(arguments), flags.ChunkedPrefill.IsOn(arguments)));
    }

    [Theory]
    [InlineData("auto", null)]
    [InlineData("half", "F16")]
    [InlineData("float16", "F16")]
    [InlineData("bfloat16", "BF16")]
    [InlineData("float", "F32")]
    [InlineData("float32", "F32")]
    public void Types_have_vLLMs_names(string word, string? type) =>
        Assert.Equal(type, EngineFlags.DTypeOf(word)?.ToString());

    [Theory]
    [InlineData("auto", null)]
    [InlineData("float32", "F32")]
    [InlineData("float16", "F16")]
    [InlineData("bfloat16", "BF16")]
    [InlineData("fp8", "F8E4M3")]
    [InlineData("fp8_e4m3", "F8E4M3")]
    [InlineData("fp8_e5m2", "F8E5M2")]
    public void Types_of_the_cache_have_vLLMs_names(string word, string? type) =>
        Assert.Equal(type, EngineFlags.KvCacheDTypeOf(word)?.ToString());

    [Fact]
    public void Every_word_of_the_table_for_types_has_a_meaning()
    {
        Assert.All(WorkerFlags.DType.Words.Skip(1), word => Assert.NotNull(EngineFlags.DTypeOf(word)));
        Assert.All(WorkerFlags.KvCacheDType.Words.Skip(1), word => Assert.NotNull(EngineFlags.KvCacheDTypeOf(word)));
    }

    private static RootCommand Root() => [ServeCommand.Create(), GenerateCommand.Create(), BenchCommand.Create()];
}

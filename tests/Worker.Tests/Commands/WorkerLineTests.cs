using Cluster.Worker.Commands;
using Cluster.Worker.Commands.Lines;
using Cluster.Worker.Serving;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Commands;

/// <summary>The step before the parser: sources, notes, and what it leaves alone.</summary>
public sealed class WorkerLineTests
{
    private const string Config = """
        model: org/from-file
        port: 8123
        max_model_len: 512
        enable-prefix-caching: false
        enforce-eager: true
        served-model-name: [a, b]
        uvicorn-log-level: "info"
        chat-template:
        """;

    [Fact]
    public void A_configuration_file_holds_options_and_the_command_line_counts_before_it()
    {
        Assert.Equal(
            "serve --enable-prefix-caching=false --enforce-eager=true --max-model-len=512 --model=org/from-file --port=8123 "
            + "--served-model-name=a b",
            Parsed("serve --config c.yaml", files: Only(Config)));
        Assert.Equal(
            "serve --enable-prefix-caching=true --enforce-eager=true --max-model-len=512 --model=org/typed --port=9 --served-model-name=c",
            Parsed(
                "serve org/typed --port 9 --config c.yaml --served-model-name c --enable-prefix-caching", files: Only(Config)));
    }

    [Theory]
    [InlineData("colour: blue", "--config c.yaml: line 1: serve has no option 'colour'")]
    [InlineData("- a", "--config c.yaml: line 1: expected options by their names")]
    [InlineData("port: {a: 1}", "--config c.yaml: line 1: 'port' must be one value or a list of values")]
    [InlineData("port: [1", "--config c.yaml: ")]
    [InlineData("config: other.yaml", "--config c.yaml: line 1: serve has no option 'config'")]
    [InlineData("port: 1\nport: 2", "--config c.yaml: ")]
    public void A_configuration_file_that_is_wrong_is_told_with_its_line(string text, string error)
    {
        var line = FieldCommandTests.Read(Program.CreateRoot(), "serve org/m --config c.yaml", files: Only(text));

        Assert.StartsWith(error, Assert.Single(line.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_configuration_file_that_is_not_there_is_told() =>
        Assert.Contains(
            "--config c.yaml: ", Assert.Single(FieldCommandTests.Read(Program.CreateRoot(), "serve org/m --config c.yaml").Errors),
            StringComparison.Ordinal);

    [Fact]
    public void Variables_of_the_launcher_are_options_of_the_launcher_only()
    {
        var variables = new Dictionary<string, string>
        {
            ["MODEL_ID"] = "org/m",
            ["NUM_SHARD"] = "2",
            ["PORT"] = "80",
            ["MAX_INPUT_TOKENS"] = "9",
        };

        Assert.Equal("serve --max-input-tokens=9 --model=org/m --port=81 --tensor-parallel-size=2", Parsed("launch -p 81", variables));
        Assert.Equal("serve --model=org/n", Parsed("serve org/n", variables));
    }

    [Fact]
    public void The_number_of_shards_is_that_of_the_visible_GPUs_where_nobody_says_more() =>
        Assert.Equal(
            "serve --model=org/m --tensor-parallel-size=3",
            Parsed("launch --model-id org/m --sharded true", new() { ["ROCR_VISIBLE_DEVICES"] = "0,1,2" }));

    [Fact]
    public void The_variable_for_the_cache_on_the_CPU_is_an_option()
    {
        Assert.Equal("serve --cpu-kvcache-space=4 --model=org/m", Parsed("serve org/m", new() { ["VLLM_CPU_KVCACHE_SPACE"] = "4" }));
        Assert.Equal(
            "serve --cpu-kvcache-space=2 --model=org/m",
            Parsed("serve org/m --cpu-kvcache-space 2", new() { ["VLLM_CPU_KVCACHE_SPACE"] = "4" }));
    }

    [Fact]
    public void Variables_without_effect_are_named_in_one_line()
    {
        var line = FieldCommandTests.Read(
            Program.CreateRoot(), "serve org/m",
            new Dictionary<string, string>
            {
                ["PYTORCH_TUNABLEOP_ENABLED"] = "1",
                ["PYTORCH_TUNABLEOP_VERBOSE"] = "1",
                ["VLLM_USE_TRITON_FLASH_ATTN"] = "0",
                ["ROCM_USE_FLASH_ATTN_V2_TRITON"] = "0",
                ["VLLM_RPC_TIMEOUT"] = "30000",
                ["TRUST_REMOTE_CODE"] = "true",
                ["VLLM_API_KEY"] = "k",
                ["VLLM_LOGGING_LEVEL"] = "DEBUG",
                ["VLLM_SERVICE_HOST"] = "10.0.0.1",
                ["VLLM_PORT"] = "tcp://10.0.0.1:8000",
                ["NCCL_MIN_NCHANNELS"] = "112",
            });

        Assert.Equal(
            "set in the environment and without effect here: PYTORCH_TUNABLEOP_VERBOSE, ROCM_USE_FLASH_ATTN_V2_TRITON, TRUST_REMOTE_CODE, "
            + "VLLM_RPC_TIMEOUT, VLLM_USE_TRITON_FLASH_ATTN (they are for PyTorch, Triton, HIP or vLLM)",
            Assert.Single(line.Notes));
    }

    [Fact]
    public void Options_without_effect_are_told_with_why_and_once()
    {
        var notes = FieldCommandTests.Read(
            Program.CreateRoot(), "serve org/m --disable-log-requests --disable-log-requests --swap-space 16").Notes;

        Assert.Equal(
            [
                "--disable-log-requests has no effect: requests are logged at CLUSTER_LOG_LEVEL=Debug only",
                "--swap-space 16 has no effect: a preempted sequence is computed again, so nothing is swapped",
            ],
            notes);
    }

    [Fact]
    public void Values_and_what_follows_two_dashes_are_left_alone()
    {
        string[] arguments =
        [
            "generate", "--model", "a_b/c-d", "--prompt", "--num_shard is a_word", "--max_tokens", "3", "--", "--max_tokens", "--model-id",
        ];

        var line = WorkerLine.Read(Program.CreateRoot(), arguments, new Dictionary<string, string>(), _ => "");

        Assert.Equal(
            [
                "generate", "--model", "a_b/c-d", "--prompt", "--num_shard is a_word", "--max-tokens", "3", "--", "--max_tokens",
                "--model-id",
            ],
            line.Arguments);
    }

    [Fact]
    public void Help_and_unknown_commands_are_the_parsers()
    {
        Assert.Equal(["serve", "--help"], FieldCommandTests.Read(Program.CreateRoot(), "serve --help").Arguments);
        Assert.Equal(["--version"], FieldCommandTests.Read(Program.CreateRoot(), "--version").Arguments);
        Assert.Equal(["sreve", "--model", "m"], FieldCommandTests.Read(Program.CreateRoot(), "sreve --model m").Arguments);
    }

    [Fact]
    public void Reading_a_line_twice_changes_nothing_more()
    {
        foreach (var (typed, _) in FieldCommandTests.Accepted.Select(row => row.Data))
        {
            var once = FieldCommandTests.Read(Program.CreateRoot(), typed).Arguments;
            var twice = WorkerLine.Read(Program.CreateRoot(), once, new Dictionary<string, string>(), _ => "").Arguments;

            Assert.Equal(once, twice);
        }
    }

    [Theory]
    [InlineData(8000, 50051)]
    [InlineData(8001, 50052)]
    [InlineData(80, 42131)]
    [InlineData(0, 0)]
    [InlineData(23484, 65535)]
    [InlineData(23485, 1024)]
    [InlineData(65535, 43074)]
    public void The_port_of_gRPC_follows_that_of_HTTP(int port, int grpc) => Assert.Equal(grpc, ServerOptions.GrpcPortFor(port));

    [Fact]
    public void No_two_ports_without_privilege_have_the_same_port_of_gRPC_or_their_own()
    {
        var ports = Enumerable.Range(1024, 65536 - 1024).ToArray();
        var grpc = ports.Select(ServerOptions.GrpcPortFor).ToArray();

        Assert.Equal(ports.Length, grpc.Distinct().Count());
        Assert.All(ports.Zip(grpc), pair => Assert.True(pair.First != pair.Second && pair.Second is >= 1024 and <= 65535));
    }

    [Theory]
    [InlineData(null, "WARNING", LogLevel.Warning)]
    [InlineData("Trace", "WARNING", LogLevel.Trace)]
    [InlineData(null, "debug", LogLevel.Debug)]
    [InlineData(null, null, LogLevel.Information)]
    public void The_level_of_the_log_is_ours_or_vLLMs(string? ours, string? theirs, LogLevel level) =>
        Assert.Equal(level, WorkerLogging.LevelOf(name => name == "CLUSTER_LOG_LEVEL" ? ours : theirs));

    private static string Parsed(string typed, Dictionary<string, string>? variables = null, Func<string, string>? files = null)
    {
        var root = Program.CreateRoot();
        var line = FieldCommandTests.Read(root, typed, variables, files);
        Assert.Empty(line.Errors);
        var parsed = root.Parse([.. line.Arguments]);
        Assert.Empty(parsed.Errors.Select(error => error.Message));
        return FieldCommandTests.Describe(line.Path, parsed);
    }

    private static Func<string, string> Only(string text) => name => name == "c.yaml" ? text : throw new FileNotFoundException(name);
}

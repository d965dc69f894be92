using Cluster.Common;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Startup;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Startup;

public sealed class ModelTextTests : IDisposable
{
    private readonly TemporaryFolder _model = new();

    public ModelTextTests()
    {
        foreach (var file in Directory.EnumerateFiles(Fixtures.Haiku))
        {
            File.Copy(file, Path.Combine(_model.Path, Path.GetFileName(file)));
        }
    }

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData("tokenizer.json", "{", typeof(TokenizerFormatException))]
    [InlineData("generation_config.json", """{"temperature": "warm"}""", typeof(ModelConfigException))]
    [InlineData("generation_config.json", """{"eos_token_id": "the end"}""", typeof(ModelConfigException))]
    public void What_is_wrong_with_the_text_shows_before_a_weight_is_read(string file, string content, Type expected)
    {
        File.WriteAllText(Path.Combine(_model.Path, file), content);

        // Whoever looked at the weights first would speak of them.
        File.Delete(Path.Combine(_model.Path, "model.safetensors"));

        var refused = Assert.Throws(expected, () => Load(_ => { }, text: null));

        Assert.Contains(file, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_that_was_read_before_is_not_read_again()
    {
        List<string> log = [];
        var text = ModelText.Load(Options, new ModelFolders(_model.Path), log.Add);
        File.Delete(Path.Combine(_model.Path, "tokenizer.json"));

        await using var engine = Load(log.Add, text);

        Assert.Same(text.Tokenizer, engine.Tokenizer);
        Assert.Contains(log, line => line.StartsWith("tokenizer: tokenizer.json", StringComparison.Ordinal));
    }

    private StartupOptions Options => new(
        _model.Path, new DeviceOptions(DeviceNames.Cpu) { CpuThreads = 1 }, new RankOptions(1, null, TimeSpan.FromSeconds(30)),
        new ModelRunnerOptions { NumBlocks = 4, MaxSequences = 1, MaxBatchedTokens = 16, MaxModelLength = 32 }, new EngineOptions());

    private TextEngine Load(Action<string> log, ModelText? text) =>
        TextEngine.Load(Options, new ModelFolders(_model.Path), progress: null, log, text: text);
}

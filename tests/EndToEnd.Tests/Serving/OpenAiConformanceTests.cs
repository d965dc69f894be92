using System.Text.Json;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Serving;

/// <summary>The npm <c>openai</c> client's whole conformance script against a guarded worker with a short queue.</summary>
public sealed class OpenAiConformanceTests(ITestOutputHelper log)
{
    private const string ApiKey = "conformance-key";
    private const int MaxNumSeqs = 8;
    private const int MaxQueue = 8;

    /// <summary>The sample model's template, which in addition shows tools and calls to the model in the Hermes style.</summary>
    private const string TemplateWithTools =
        """
        {%- if tools %}{{ '<|im_start|>system\n' }}{% for tool in tools %}{{ tool | tojson }}{{ '\n' }}{% endfor %}{{ '<|im_end|>\n' }}{% endif %}
        {%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') }}
        {%- for call in message['tool_calls'] or [] %}{{ '<tool_call>\n' }}{{ call.function | tojson }}{{ '\n</tool_call>' }}{% endfor %}
        {%- if true %}{{ '<|im_end|>' + '\n' }}{% endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
        """;

    [Fact]
    public async Task Every_step_of_the_openai_clients_script_holds()
    {
        var modules = await NodePackages.RequireAsync("openai");
        var model = Directory.CreateTempSubdirectory("cluster-conformance-");
        try
        {
            foreach (var file in Directory.EnumerateFiles(WorkerProcess.SampleModel))
            {
                File.Copy(file, Path.Combine(model.FullName, Path.GetFileName(file)));
            }

            await File.WriteAllTextAsync(Path.Combine(model.FullName, "chat_template.jinja"), TemplateWithTools);

            // The reference's log-probabilities are those of a cache in float32.
            await using var worker = await WorkerProcess.StartModelAsync(
                model.FullName, "--api-key", ApiKey, "--max-num-seqs", $"{MaxNumSeqs}", "--max-queue", $"{MaxQueue}", "--kv-cache-dtype",
                "float32");
            var options = JsonSerializer.Serialize(
                new { apiKey = ApiKey, capacity = MaxNumSeqs + MaxQueue, tolerance = 1e-3, rendersTools = true });

            var result = await CommandLine.RunAsync(
                "node",
                [Path.Combine(RepositoryRoot.Path, "tests", "EndToEnd.Tests", "clients", "openai.mjs"),
                    worker.Http.GetLeftPart(UriPartial.Authority), Haiku.ExpectedFile, options],
                new Dictionary<string, string> { ["CLUSTER_NODE_MODULES"] = modules });

            log.WriteLine(result.Output);
            Assert.True(result.ExitCode == 0, result.All);
            Assert.DoesNotContain(" fail: ", worker.Output, StringComparison.Ordinal);
        }
        finally
        {
            model.Delete(recursive: true);
        }
    }
}

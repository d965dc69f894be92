using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using Cluster.Worker.Commands;

namespace Cluster.EndToEnd.Tests.Contracts;

/// <summary>The one table of flags holds operator and worker together: what a ModelDeployment may say, the worker's command line takes;
/// what it may not say, the worker refuses as well.</summary>
public sealed class FlagTableTests
{
    /// <summary>Each field of spec.engine with each of its words, or the ends of its range.</summary>
    public static TheoryData<string, string> Accepted => Values(flag => flag.Value switch
    {
        FlagValue.Word => flag.Words,
        FlagValue.Switch => ["true", "false"],
        FlagValue.Text => [flag.Default as string ?? "{}"],
        _ => [Text(flag.Minimum), Text(double.IsNaN(flag.Maximum) ? int.MaxValue : flag.Maximum)],
    });

    /// <summary>Each field of spec.engine with a word it does not know, or with the numbers just outside its range.</summary>
    public static TheoryData<string, string> Refused => Values(flag => flag.Value switch
    {
        FlagValue.Word => ["int3", flag.Words[0].ToUpperInvariant(), ""],
        FlagValue.Switch or FlagValue.Text => [],
        _ => [Text(flag.Minimum - 1), .. double.IsNaN(flag.Maximum) ? (string[])[] : [Text(flag.Maximum + 1)]],
    });

    [Theory, MemberData(nameof(Accepted))]
    public void What_the_API_accepts_the_worker_accepts(string property, string value)
    {
        var deployment = Deployment(property, value);
        Assert.Empty(ModelDeploymentValidator.Validate(deployment));
        Assert.Empty(Parse(deployment));
    }

    [Theory, MemberData(nameof(Refused))]
    public void What_the_API_refuses_the_worker_refuses(string property, string value)
    {
        var deployment = Deployment(property, value);
        var error = Assert.Single(ModelDeploymentValidator.Validate(deployment));
        Assert.Equal($"spec.engine.{JsonNamingPolicy.CamelCase.ConvertName(property)}", error.Path);
        Assert.NotEmpty(Parse(deployment));
    }

    [Fact]
    public void Speculation_is_understood_by_both()
    {
        var deployment = Deployment(nameof(EngineSpec.MaxNumSeqs), "1");
        Assert.All((int[])[1, WorkerFlags.MaxSpeculativeTokens], tokens =>
        {
            deployment.Spec.Engine.Speculative = new SpeculativeSpec { Model = "file:///draft", NumTokens = tokens };
            Assert.Empty(ModelDeploymentValidator.Validate(deployment));
            Assert.Empty(Parse(deployment));
        });

        deployment.Spec.Engine.Speculative = new SpeculativeSpec { Model = WorkerFlags.Ngram, NumTokens = 2 };
        Assert.Empty(ModelDeploymentValidator.Validate(deployment));
        Assert.Empty(Parse(deployment));

        deployment.Spec.Engine.Speculative = new SpeculativeSpec
        {
            Model = "file:///draft",
            NumTokens = WorkerFlags.MaxSpeculativeTokens + 1
        };
        Assert.Equal("spec.engine.speculative.numTokens", Assert.Single(ModelDeploymentValidator.Validate(deployment)).Path);
        Assert.NotEmpty(Parse(deployment));
        Assert.Equal(Worker.Engine.Speculation.Speculator.MostTokens, WorkerFlags.MaxSpeculativeTokens);
    }

    [Fact]
    public void Every_flag_of_the_table_is_an_option_of_serve_with_the_tables_words()
    {
        var options = ServeCommand.Create().Options.SelectMany(option => option.Aliases.Prepend(option.Name).Select(name => (name, option)))
            .ToDictionary();
        Assert.All(WorkerFlags.All, flag =>
        {
            Assert.StartsWith(flag.Help, options[flag.Name].Description, StringComparison.Ordinal);
            Assert.Same(options[flag.Name], options[flag.Alias ?? flag.Name]);
        });
    }

    [Fact]
    public void Every_engine_row_of_the_table_is_a_field_of_the_spec()
    {
        var fields = FlagFields<EngineSpec>.All
            .Select(field => $"spec.engine.{JsonNamingPolicy.CamelCase.ConvertName(field.Property.Name)} {field.Flag.Name}");
        var rows = WorkerFlags.All.Where(
            flag => flag.SetBy.StartsWith("spec.engine.", StringComparison.Ordinal)
                && !flag.SetBy.Contains(".speculative.", StringComparison.Ordinal));
        Assert.Equal(rows.Select(flag => $"{flag.SetBy} {flag.Name}"), fields);
    }

    [Fact]
    public void The_tables_defaults_are_the_engines()
    {
        var (engine, runner) = (new Worker.Engine.EngineOptions(), new Cluster.Worker.Models.Running.ModelRunnerOptions());
        Assert.Equal(
            (WorkerFlags.DefaultMaxNumSeqs, WorkerFlags.DefaultMaxNumBatchedTokens, WorkerFlags.DefaultGpuMemoryUtilization),
            (engine.MaxNumSeqs, engine.MaxNumBatchedTokens, runner.GpuMemoryUtilization));
        Assert.Equal(
            (WorkerFlags.EnablePrefixCaching.Default, WorkerFlags.EnableChunkedPrefill.Default, WorkerFlags.NumSchedulerSteps.Default),
            (engine.EnablePrefixCaching, engine.EnableChunkedPrefill, engine.NumSchedulerSteps));
    }

    private static TheoryData<string, string> Values(Func<WorkerFlag, IEnumerable<string>> values)
    {
        var data = new TheoryData<string, string>();
        foreach (var (property, flag) in FlagFields<EngineSpec>.All)
        {
            foreach (var value in values(flag))
            {
                data.Add(property.Name, value);
            }
        }

        return data;
    }

    private static ModelDeployment Deployment(string property, string value)
    {
        var deployment = new ModelDeployment { Spec = new ModelDeploymentSpec { Model = new ModelSpec { Source = "file:///model" } } };
        deployment.Metadata.Name = "model";
        var field = typeof(EngineSpec).GetProperty(property)!;
        field.SetValue(
            deployment.Spec.Engine,
            Convert.ChangeType(value, Nullable.GetUnderlyingType(field.PropertyType) ?? field.PropertyType, CultureInfo.InvariantCulture));
        return ModelDeploymentDefaults.Apply(deployment);
    }

    private static IEnumerable<string> Parse(ModelDeployment deployment)
    {
        var arguments = EngineArguments.For(deployment, "/model", deployment.Spec.Engine.Speculative is null ? null : "/draft");
        return new RootCommand { ServeCommand.Create() }
            .Parse([.. arguments.Select(argument => (string)argument!)]).Errors.Select(error => error.Message);
    }

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}

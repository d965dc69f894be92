using System.Text;
using Cluster.Fuzz.Coverage;
using Cluster.Fuzz.Running;
using Cluster.Tests.Shared.Fuzzing;

namespace Cluster.EndToEnd.Tests.Fuzz;

/// <summary>The fuzzer itself: what it finds, how small it makes it, and that it does the same again.</summary>
[Collection(AloneCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class FuzzerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("InvalidOperationException at Cluster.EndToEnd.Tests.Fuzz.FragileTarget.Run", "throw")]
    [InlineData("it is true", "lie")]
    [InlineData("memory", "eat")]
    public void A_failure_is_found_made_small_and_saved(string key, string smallest)
    {
        var finding = Assert.Single(Run(seed: 1).Findings, finding => finding.Failure.Key == key);

        Assert.Equal(smallest, File.ReadAllText(finding.Path));
        Assert.EndsWith($"--target fragile --replay {finding.Path}", finding.Command, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_runs_the_same_inputs()
    {
        var (first, again, other) = (Run(seed: 1), Run(seed: 1), Run(seed: 2));

        Assert.Equal((first.Accepted, first.Refused, first.Crashes), (again.Accepted, again.Refused, again.Crashes));
        Assert.NotEqual((first.Accepted, first.Refused, first.Crashes), (other.Accepted, other.Refused, other.Crashes));
    }

    [Fact]
    public void A_smaller_input_fails_in_the_same_way()
    {
        var lines = string.Concat(Enumerable.Range(0, 300).Select(i => i == 217 ? "say NEEDLE twice\n" : $"line {i}\n"));

        var least = Minimizer.Minimize(
            Encoding.UTF8.GetBytes(lines), input => Encoding.UTF8.GetString(input).Contains("NEEDLE", StringComparison.Ordinal), 2000);

        Assert.Equal("NEEDLE", Encoding.UTF8.GetString(least));
    }

    [Fact]
    public void A_minimizer_out_of_tries_still_returns_what_fails()
    {
        var least = Minimizer.Minimize("aaaaXaaaa"u8.ToArray(), input => input.Contains((byte)'X'), mostTries: 2);

        Assert.Contains((byte)'X', least);
    }

    [Fact]
    public void A_mutated_message_most_often_is_a_message()
    {
        var message = new Worker.Protos.V1.GenerateRequest
        {
            Prompt = "hello",
            Sampling = new Worker.Protos.V1.SamplingParams { Temperature = 0.5f, MaxTokens = 2, Seed = 4, Stop = { "x" } },
        };
        var bytes = Google.Protobuf.MessageExtensions.ToByteArray(message);
        ProtobufMutator mutator = new();

        var read = Enumerable.Range(0, 1000).Count(seed => IsMessage(mutator.Mutate(bytes, new Random(seed))));

        Assert.InRange(read, 700, 999);
    }

    [Fact]
    public void What_differs_in_names_and_numbers_only_is_nothing_new()
    {
        SeenRefusals seen = new();

        Assert.True(seen.IsNew(Cluster.Fuzz.Verdict.Refused("field 'a' is 3")));
        Assert.False(seen.IsNew(Cluster.Fuzz.Verdict.Refused("field 'b' is 17")));
        Assert.True(seen.IsNew(Cluster.Fuzz.Verdict.Refused("field 'a' is missing")));
        Assert.True(seen.IsNew(Cluster.Fuzz.Verdict.Accepted));
    }

    [Fact]
    public void The_input_that_ended_a_process_is_known()
    {
        using Session session = new(_folder.Path);
        session.Begin("first", new byte[1000]);
        session.Begin("second", "last"u8.ToArray());

        var (target, input) = session.Last();

        Assert.Equal(("second", "last"), (target, Encoding.UTF8.GetString(input)));
    }

    private TargetReport Run(int seed)
    {
        using FragileTarget target = new();
        RunOptions options = new([target.Name], seed, Inputs: 300, Seconds: 0, Coverage: false, _folder.Path, Corpus: null);
        return new TargetRun(target, options, new SeenRefusals(), _ => { }).Run();
    }

    private static bool IsMessage(byte[] bytes)
    {
        try
        {
            Worker.Protos.V1.GenerateRequest.Parser.ParseFrom(bytes);
            return true;
        }
        catch (Google.Protobuf.InvalidProtocolBufferException)
        {
            return false;
        }
    }
}

using Cluster.Architecture.Tests.Rooms;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Cluster.Architecture.Tests.Sources;

/// <summary>Tests test, and wait without spinning.</summary>
public sealed class TestsTests
{
    /// <summary>Loops that pause for another reason than to ask again: "path: method".</summary>
    private static readonly string[] PausesThatDoNotPoll =
    [
        // A clock is moved step by step; who was woken gets its turn.
        "tests/Operator.Tests/Controller/LeaderElectionTests.cs: PassTimeUntil",
        "tests/Operator.Tests/Scenarios/Support/PassingTime.cs: PassAsync",

        // Nothing tells when a server has begun to read half a request.
        "tests/Worker.Tests/Serving/Grpc/CallLifetimeTests.cs: A_deadline_ends_a_call_whose_request_never_comes_whole",

        // Random paces, so that threads and events meet in other orders.
        "tests/Operator.Tests/Controller/WorkQueueTests.cs: Many_adders_and_workers_lose_nothing_and_never_share_an_item",
        "tests/Operator.Tests/Scenarios/ChaosScenarios.cs: Whatever_happens_in_whatever_order_no_gpu_is_held_twice_and_everything_converges",
        "tests/Worker.Tests/Compute/Collectives/HostCommunicatorTests.cs: Random_calls_at_random_paces_give_what_a_scalar_twin_gives",
        "tests/Worker.Tests/Models/Running/BackgroundRunnerTests.cs: Steps_follow_each_other_at_any_pace",

        // The fake engine makes its outputs on another thread, as the real one does.
        "tests/Worker.Tests/Serving/FakeEngine.cs: SampleAsync",
    ];

    private static readonly string[] Pauses = [
        "Task.Delay", "Task.Yield", "Thread.Sleep", "Thread.Yield", "Thread.SpinWait", "SpinWait.SpinUntil"];

    [Fact]
    public void Every_test_asserts_something() => Known.Only([], TestMethods.WithoutAssertion());

    [Fact]
    public void No_test_polls_but_through_Eventually()
    {
        var polling = SourceFile.Tests
            .Where(file => file.Path != "tests/Shared/Eventually.cs")
            .SelectMany(file => file.Root.DescendantNodes()
                .OfType<InvocationExpressionSyntax>()
                .Where(call => Pauses.Contains(call.Expression.ToString()) && IsRepeated(call))
                .Select(call => $"{file.Path}: {MethodOf(call)}"));

        Known.Only(PausesThatDoNotPoll, polling);
    }

    private static bool IsRepeated(SyntaxNode call) => call.Ancestors()
        .TakeWhile(node => node is not (MemberDeclarationSyntax or AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax))
        .Any(node => node is WhileStatementSyntax or DoStatementSyntax or ForStatementSyntax or ForEachStatementSyntax);

    private static string MethodOf(SyntaxNode call) =>
        call.Ancestors().OfType<MethodDeclarationSyntax>().FirstOrDefault()?.Identifier.Text ?? "(no method)";
}

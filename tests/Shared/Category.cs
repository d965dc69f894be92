namespace Cluster.Tests.Shared;

/// <summary>
/// The one trait of tests, by what they take: <c>[Trait(Category.Name, Category.Slow)]</c>. Tests without it are quick:
/// <c>dotnet test --filter "Category!=slow"</c> runs them. A test that takes over two seconds or starts a process is slow.
/// </summary>
internal static class Category
{
    public const string Name = "Category";

    /// <summary>Takes over two seconds, or starts a process.</summary>
    public const string Slow = "slow";

    /// <summary>Kernels in ILGPU's interpreter, which takes minutes: a step of <c>.ci/run</c>, left out by <c>dotnet test</c>
    /// (tests/.runsettings).</summary>
    public const string Interpreter = "interpreter";

    /// <summary>Thousands of random inputs, megabytes of text, faults that are waited for: a step of <c>.ci/run</c> as well, so that
    /// <c>dotnet test</c> takes minutes on two cores.</summary>
    public const string Long = "long";
}

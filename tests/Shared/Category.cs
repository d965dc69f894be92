namespace Cluster.Tests.Shared;

/// <summary>
/// The one trait of tests, by speed: <c>[Trait(Category.Name, Category.Slow)]</c>. Tests without it are quick:
/// <c>dotnet test --filter "Category!=slow"</c> runs them. A test that takes over two seconds or starts a process is slow.
/// </summary>
internal static class Category
{
    public const string Name = "Category";

    /// <summary>Takes over two seconds, or starts a process.</summary>
    public const string Slow = "slow";
}

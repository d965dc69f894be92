using System.IO.Compression;
using System.Xml.Linq;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Offline;

/// <summary>The worker as a package: packed, restored from a folder without any other source, and used by the example as a program outside
/// of this repository.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class PackageTests : IDisposable
{
    private const string Example = "docs/examples/offline/Program.cs";

    private readonly TemporaryFolder _folder = new();

    private string Feed => Path.Combine(_folder.Path, "feed");

    private string App => Path.Combine(_folder.Path, "app");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_program_outside_of_the_repository_uses_the_package()
    {
        await PackAsync();
        _folder.Write("app/Program.cs", RepositoryFiles.Read(Example));
        _folder.Write(
            "app/app.csproj",
            """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Cluster.Worker" Version="*" />
              </ItemGroup>
            </Project>
            """);

        // What the worker itself needs is in the machine's folder of packages; ours go to a folder of this test.
        _folder.Write(
            "app/nuget.config",
            $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{_folder.Path}/packages" /></config>
              <packageSources><clear /><add key="feed" value="{Feed}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="machine" value="{MachinePackages}" /></fallbackPackageFolders>
            </configuration>
            """);
        await DotnetAsync("build", App, "-c", "Release", "-v", "q");

        var alone = await RunAsync();
        Assert.Contains($"{Haiku.Prompt} -> {Haiku.Continuation}"[..60], alone, StringComparison.Ordinal);
        Assert.Contains(Haiku.Text, alone, StringComparison.Ordinal);

        // Ranks are processes of the same program, which is no worker. Their sums are in another order, so texts of one prompt may differ
        // late; that of the reference does not.
        Assert.Contains(Haiku.Text, await RunAsync("2"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_package_says_what_it_is_and_holds_documentation_of_every_public_type()
    {
        await PackAsync();
        await using var package = await ZipFile.OpenReadAsync(
            Directory.GetFiles(Feed, "Cluster.Worker.*.nupkg").Single(), TestContext.Current.CancellationToken);
        var names = package.Entries.Select(entry => entry.FullName).ToList();

        Assert.Contains("lib/net10.0/cluster-worker.dll", names);
        Assert.Contains("README.md", names);
        await using var xml = await package.GetEntry("lib/net10.0/cluster-worker.xml")!.OpenAsync(TestContext.Current.CancellationToken);
        var documented = (await XDocument.LoadAsync(xml, LoadOptions.None, TestContext.Current.CancellationToken))
            .Descendants("member").Select(member => (string)member.Attribute("name")!).ToHashSet();
        Assert.All(
            typeof(Worker.Offline.LLM).Assembly.GetExportedTypes(), type => Assert.Contains($"T:{type.FullName}", documented));
    }

    private static string MachinePackages =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private async Task PackAsync()
    {
        foreach (var project in (string[])["common", "worker"])
        {
            await DotnetAsync(
                "pack", Path.Combine(RepositoryRoot.Path, project), "-c", LocalOperator.Configuration, "--no-build", "-o", Feed, "-v", "q");
        }
    }

    private async Task<string> RunAsync(params string[] arguments)
    {
        var result = await CommandLine.RunAsync(
            Path.Combine(App, "bin", "Release", "net10.0", "app"), [WorkerProcess.SampleModel, .. arguments], folder: App);
        Assert.True(result.ExitCode == 0, result.All);
        return result.Output;
    }

    /// <summary>No compiler or build server stays behind.</summary>
    private async Task DotnetAsync(params string[] arguments)
    {
        var result = await CommandLine.RunAsync(
            "dotnet", [.. arguments, "-p:UseSharedCompilation=false", "-nodeReuse:false"],
            new Dictionary<string, string> { ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1", ["DOTNET_NOLOGO"] = "1" },
            timeout: TimeSpan.FromMinutes(4), folder: _folder.Path);
        Assert.True(result.ExitCode == 0, result.All);
    }
}

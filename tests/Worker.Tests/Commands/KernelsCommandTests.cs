using System.CommandLine;
using Cluster.Worker.Commands;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Tests.Commands;

public sealed class KernelsCommandTests
{
    [Fact]
    public void Names_of_files_are_plain_and_differ_as_kernels_do()
    {
        var names = BackendKernels.All.Select(kernel => kernel.FileName).ToList();

        Assert.All(names, name => Assert.Matches("^[A-Za-z0-9.-]+$", name));
        Assert.Equal(names.Count, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    /// <summary>On all processors at once, twice, in an order of their own: a kernel's text depends on nothing beside it.</summary>
    [Fact]
    [Trait(Category.Name, Category.Long)]
    public async Task Emitted_texts_are_those_that_a_launcher_compiles_one_by_one()
    {
        using var folder = new TemporaryFolder();
        var exitCode = await new RootCommand { KernelsCommand.Create() }
            .Parse(["kernels", "--emit", folder.Path, "--target", "other"]).InvokeAsync();
        var compiler = new ClCompiler(CLDeviceVendor.Other);

        Assert.Equal(0, exitCode);
        Assert.Equal(
            BackendKernels.WithoutMatrixCores.Select(kernel => kernel.FileName + ".cl").Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)!);
        Assert.All(BackendKernels.WithoutMatrixCores, kernel => Assert.Equal(
            compiler.Compile(kernel, Wave.MaxWaves), File.ReadAllText(Path.Combine(folder.Path, kernel.FileName + ".cl"))));
    }

    [Fact]
    public void A_target_without_a_folder_is_refused() => Assert.Equal(
        "--target says how to write kernels, so it needs --emit DIR",
        Assert.Single(new RootCommand { KernelsCommand.Create() }.Parse("kernels --target amd").Errors).Message);
}

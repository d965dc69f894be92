using System.Runtime.InteropServices;
using System.Text;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>AMD's compiler at run time: against a library in C that checks what it is asked, and the real one where it is
/// installed.</summary>
public sealed unsafe class ComgrTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory, InlineData(2), InlineData(3)]
    public void Source_becomes_bitcode_a_relocatable_and_an_executable_whichever_numbers_a_version_has_for_that(int major)
    {
        var path = Fake(major);
        var comgr = Comgr.Find(["libno-such-comgr.so.1", path])!;
        var code = Encoding.UTF8.GetString(comgr.Compile("kernel void nothing() {}", "gfx942"));

        Assert.Equal($"{path} {major}.4", comgr.Name);
        Assert.Equal(
            $"kernel.cl of {AmdSource.Of("kernel void nothing() {}").Length} bytes for gfx942: {string.Join(' ', AmdSource.Options)}, "
            + "relocatable, executable",
            code);
        Assert.Equal(0, Live(path));
    }

    [Fact]
    public void What_does_not_compile_is_told_in_the_compiler_s_words_and_nothing_is_left()
    {
        var path = Fake(3);
        var comgr = Comgr.Find([path])!;
        var refused = Assert.Throws<KernelBuildException>(() => comgr.Compile("wish void nothing() {}", "gfx942"));

        Assert.Equal($"{path} 3.4 cannot build it for gfx942: ERROR (1)\nkernel.cl:1:1: error: unknown type name 'wish'", refused.Message);
        Assert.Contains(
            "amd_comgr_action_info_set_isa_name(sm_90) failed: ERROR_INVALID_ARGUMENT (2)",
            Assert.Throws<KernelBuildException>(() => comgr.Compile("kernel void nothing() {}", "sm_90")).Message);
        Assert.Equal(0, Live(path));
    }

    [Fact]
    public void Without_a_library_there_is_none_and_one_that_lacks_a_function_is_refused_by_name()
    {
        Assert.Null(Comgr.Find(["libno-such-comgr.so.1"]));
        var path = Path.Combine(_folder.Path, "libempty.so");
        File.WriteAllText(Path.Combine(_folder.Path, "empty.c"), "int amd_comgr_create_data(void) { return 0; }");
        FakeGpu.Compile(path, [Path.Combine(_folder.Path, "empty.c")]);

        Assert.Contains("has no function amd_comgr_release_data", Assert.Throws<NotSupportedException>(() => Comgr.Find([path])).Message);
    }

    [Fact]
    [Trait(Category.Name, Category.Slow)]
    public void The_real_library_makes_code_objects_that_are_read()
    {
        var comgr = Comgr.Find(Comgr.FileNames);
        Assert.SkipWhen(comgr is null, $"there is none of {string.Join(", ", Comgr.FileNames)} (Debian: libamd-comgr2; see get-rocm)");
        var kernel = BackendKernels.Add;
        var code = CodeObject.Read(comgr!.Compile(AmdCompiler.TextOf(kernel), "gfx90a"));

        Assert.Equal("gfx90a", AmdArchitectureOf(code.Processor));
        Assert.Equal(kernel.Parameters.Length, code.LayoutFor(kernel).Places.Length);
    }

    private static string AmdArchitectureOf(string processor) => Worker.Compute.Ilgpu.Launch.AmdArchitecture.ProcessorOf(processor);

    private static int Live(string path) =>
        ((delegate* unmanaged<int>)NativeLibrary.GetExport(NativeLibrary.Load(path), "fake_live"))();

    private string Fake(int major) => FakeGpu.Compile(Path.Combine(_folder.Path, $"libcomgr{major}.so"), [$"-DMAJOR={major}", "comgr.c"]);
}

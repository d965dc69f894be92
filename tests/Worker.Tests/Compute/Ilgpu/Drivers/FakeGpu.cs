using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>A driver's library made of the C files beside this: it keeps the rules of HIP and CUDA, and complains of whoever breaks them.
/// Each has a state of its own.</summary>
internal sealed unsafe class FakeGpu : IDisposable
{
    private static readonly string Sources = Path.Combine(AppContext.BaseDirectory, "Compute", "Ilgpu", "Drivers");

    private static readonly TemporaryFolder Made = new();
    private static readonly ConcurrentDictionary<string, Lazy<string>> Compiled = new();

    private readonly TemporaryFolder _folder = new();
    private readonly nint _library;

    private FakeGpu(string kind, string architecture, params string[] sources)
    {
        var compiled = Compiled.GetOrAdd(kind, kind => new Lazy<string>(() => Compile(
            Path.Combine(Made.Path, $"libfake{kind}.so"), [$"-D{kind}", .. sources, "-ldl", "-lpthread", "-lm"])));

        // A file of its own is a library of its own.
        LibraryPath = Path.Combine(_folder.Path, $"libfake{kind}.so");
        File.Copy(compiled.Value, LibraryPath);
        _library = NativeLibrary.Load(LibraryPath);
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(architecture + '\0'))
        {
            ((delegate* unmanaged<byte*, void>)Of("fake_set_architecture"))(name);
        }
    }

    /// <summary>What a launcher loads, for RCCL or NCCL as well.</summary>
    public string LibraryPath { get; }

    public long MemoryUsed => ((delegate* unmanaged<long>)Of("fake_memory_used"))();

    /// <summary>Kernels enqueued, those of captures once.</summary>
    public long Launches => ((delegate* unmanaged<long>)Of("fake_launches"))();

    public long Replays => ((delegate* unmanaged<long>)Of("fake_replays"))();

    /// <summary>What the library has to say, and above all what it complains of.</summary>
    public string Text => Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Of("fake_text"))())!;

    /// <summary>An AMD GPU. Skips the test where there is no C compiler.</summary>
    public static FakeGpu Hip(string architecture = "gfx942") => new("HIP", architecture, "gpu.c", "codeobjects.c");

    /// <summary>An NVIDIA GPU, whose kernels run in an interpreter of PTX.</summary>
    public static FakeGpu Cuda(string architecture = "sm_90") => new("CUDA", architecture, "gpu.c", "ptx.c");

    public void SetDevices(int count) => ((delegate* unmanaged<int, void>)Of("fake_set_devices"))(count);

    public void SetMemory(long bytes) => ((delegate* unmanaged<long, void>)Of("fake_set_memory"))(bytes);

    /// <summary>Every call fails from here on.</summary>
    public void Lose(int error) => ((delegate* unmanaged<int, void>)Of("fake_lose"))(error);

    /// <summary>From here on collectives wait for a rank that is no more.</summary>
    public void LoseRank() => ((delegate* unmanaged<void>)Of("fake_lose_rank"))();

    /// <summary>Whether captures end well.</summary>
    /// <param name="device">−1 for all.</param>
    public void SetCapturable(bool yes, int device = -1) =>
        ((delegate* unmanaged<int, int, void>)Of("fake_set_capturable"))(yes ? 1 : 0, device);

    /// <summary>Runs a program in place of a code object. Each GPU has a copy of its own: it holds one group's shared memory.</summary>
    public void Register(byte[] code, string program)
    {
        var own = Path.Combine(_folder.Path, Path.GetFileName(program));
        lock (_folder)
        {
            if (File.Exists(own))
            {
                return;
            }

            File.Copy(program, own);
            fixed (byte* image = code, path = System.Text.Encoding.UTF8.GetBytes(own + '\0'))
            {
                var refused = ((delegate* unmanaged<byte*, byte*, nint>)Of("fake_register"))(image, path);
                Assert.True(refused == 0, Marshal.PtrToStringUTF8(refused));
            }
        }
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Compiles C files of the folder to a library. Skips the test where there is no C compiler.</summary>
    public static string Compile(string library, IEnumerable<string> arguments)
    {
        try
        {
            using var compiler = Process.Start(new ProcessStartInfo("cc", ["-shared", "-fPIC", "-O2", "-o", library, .. arguments])
            {
                WorkingDirectory = Sources,
                RedirectStandardError = true,
            })!;
            var errors = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            Assert.True(compiler.ExitCode == 0, errors);
            return library;
        }
        catch (Win32Exception)
        {
            Assert.Skip("there is no C compiler here");
            throw;
        }
    }

    private nint Of(string function) => NativeLibrary.GetExport(_library, function);
}

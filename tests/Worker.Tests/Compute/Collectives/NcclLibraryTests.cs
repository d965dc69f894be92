using System.ComponentModel;
using System.Diagnostics;
using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

/// <summary>The functions' signatures, against a library in C whose prototypes are nccl.h's.</summary>
[Trait(Category.Name, Category.Slow)]
public unsafe class NcclLibraryTests
{
    /// <summary>A group of one whose "device" is the host: sums double, so that a call shows; the arguments that must be right are
    /// checked.</summary>
    private const string Source = """
        #include <string.h>
        #include <stddef.h>
        typedef struct { char internal[128]; } ncclUniqueId;
        typedef struct { int ranks, rank; } *ncclComm_t;
        static struct { int ranks, rank; } only;
        int ncclGetUniqueId(ncclUniqueId *id) { for (int i = 0; i < 128; i++) id->internal[i] = (char)i; return 0; }
        int ncclCommInitRank(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank) {
            for (int i = 0; i < 128; i++) if (id.internal[i] != (char)i) return 4;
            only.ranks = ranks; only.rank = rank; *comm = (ncclComm_t)&only; return ranks == 1 && rank == 0 ? 0 : 4; }
        int ncclAllReduce(const void *in, void *out, size_t count, int type, int op, ncclComm_t comm, void *stream) {
            if (type != 7 || op != 0 || comm != (ncclComm_t)&only || stream != (void *)77) return 4;
            for (size_t i = 0; i < count; i++) ((float *)out)[i] = 2 * ((const float *)in)[i]; return 0; }
        int ncclAllGather(const void *in, void *out, size_t count, int type, ncclComm_t comm, void *stream) {
            if (type != 7 || comm != (ncclComm_t)&only || stream != (void *)78) return 4;
            memcpy(out, in, 4 * count); return 0; }
        int ncclBroadcast(const void *in, void *out, size_t count, int type, int root, ncclComm_t comm, void *stream) {
            if (type != 1 || root != 0 || comm != (ncclComm_t)&only || stream != (void *)79) return 5;
            memset(out, 9, count); return 0; }
        static int grouped; static float sent[2];
        int ncclGroupStart(void) { grouped = 1; return 0; }
        int ncclGroupEnd(void) { grouped = 0; return 0; }
        int ncclSend(const void *in, size_t count, int type, int peer, ncclComm_t comm, void *stream) {
            if (!grouped || count != 2 || type != 7 || peer != 5 || comm != (ncclComm_t)&only || stream != (void *)80) return 4;
            memcpy(sent, in, 8); return 0; }
        int ncclRecv(void *out, size_t count, int type, int peer, ncclComm_t comm, void *stream) {
            if (!grouped || count != 2 || type != 7 || peer != 6 || comm != (ncclComm_t)&only || stream != (void *)81) return 4;
            memcpy(out, sent, 8); return 0; }
        int ncclCommGetAsyncError(ncclComm_t comm, int *result) { *result = comm == (ncclComm_t)&only ? 6 : 0; return 0; }
        int ncclCommDestroy(ncclComm_t comm) { return comm == (ncclComm_t)&only ? 0 : 4; }
        int ncclCommAbort(ncclComm_t comm) { return comm == (ncclComm_t)&only ? 0 : 4; }
        const char *ncclGetErrorString(int result) { return result == 6 ? "remote process exited" : "invalid argument"; }
        """;

    [Fact]
    public void Every_function_is_called_as_nccl_h_declares_it()
    {
        using var folder = new CompiledLibrary(Source);
        var library = NcclLibrary.Load(["libno-such-library.so.1", folder.Path]);
        Assert.Equal(folder.Path, library.Name);
        HostRanks.Run(HostKind.Threads, 1, 256, host =>
        {
            using var communicator = new NcclCommunicator(library, host);
            var values = stackalloc float[] { 1, 2, 3 };
            var gathered = stackalloc float[3];
            communicator.AllReduce((nint)values, 3, 77);
            communicator.AllGather((nint)values, (nint)gathered, 2, 78);
            Assert.Equal([2, 4, 6], new Span<float>(values, 3).ToArray());
            Assert.Equal([2, 4, 0], new Span<float>(gathered, 3).ToArray());
            communicator.Broadcast((nint)gathered, 4, 0, 79);
            Assert.Equal([9, 9, 9, 9], new Span<byte>(gathered, 4).ToArray());
            communicator.Exchange([new RankMessage(5, (nint)values, 2, IsReceived: false)], 80);
            communicator.Exchange([new RankMessage(6, (nint)gathered, 2, IsReceived: true)], 81);
            Assert.Equal([2, 4], new Span<float>(gathered, 2).ToArray());
            Assert.Contains("'remote process exited' (6)", Assert.Throws<RankLostException>(communicator.CheckHealth).Message);
            Assert.Contains("ncclBroadcast", Record.Exception(() => communicator.Broadcast(0, 0, 1, 79))!.Message);
        });
    }

    [Fact]
    public void A_library_that_lacks_a_function_is_refused_with_its_name()
    {
        using var folder = new CompiledLibrary("int ncclGetUniqueId(void *id) { return 0; }");
        var exception = Assert.Throws<NotSupportedException>(() => NcclLibrary.Load([folder.Path]));
        Assert.Contains("has no function ncclCommInitRank", exception.Message);
    }

    [Fact]
    public void Where_neither_library_is_both_are_named()
    {
        var exception = Assert.Throws<NotSupportedException>(() => NcclLibrary.Load(["librccl-absent.so.1", "libnccl-absent.so.2"]));
        Assert.Contains("librccl-absent.so.1 (ROCm) or libnccl-absent.so.2 (CUDA)", exception.Message);
        Assert.Equal(["librccl.so.1", "libnccl.so.2"], NcclLibrary.FileNames);
    }

    /// <summary>A shared library made from C by the system's compiler.</summary>
    private sealed class CompiledLibrary : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nccl-");

        public CompiledLibrary(string source)
        {
            Path = System.IO.Path.Combine(_folder.FullName, "libfake.so");
            try
            {
                using var compiler = Process.Start(
                    new ProcessStartInfo("cc", ["-shared", "-fPIC", "-x", "c", "-o", Path, "-"]) { RedirectStandardInput = true })!;
                compiler.StandardInput.Write(source);
                compiler.StandardInput.Close();
                compiler.WaitForExit();
                Assert.Equal(0, compiler.ExitCode);
            }
            catch (Win32Exception)
            {
                _folder.Delete();
                Assert.Skip("there is no C compiler here");
            }
        }

        public string Path { get; }

        public void Dispose() => _folder.Delete(recursive: true);
    }
}

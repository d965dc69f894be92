using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A backend that all tests of a class share: kernels are compiled once.</summary>
public abstract class DeviceFixture : IDisposable
{
    private readonly Lazy<BackendUnderTest> _device;

    private protected DeviceFixture() => _device = new Lazy<BackendUnderTest>(() => new BackendUnderTest(Create()));

    internal BackendUnderTest Device => _device.Value;

    public void Dispose()
    {
        if (_device.IsValueCreated)
        {
            Device.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    private protected abstract Backend Create();
}

/// <summary>ILGPU's CPUAccelerator: needs nothing installed.</summary>
public sealed class InterpreterFixture : DeviceFixture
{
    private protected override Backend Create() => new IlgpuBackend(new InterpreterLauncher(1L << 30), new IlgpuOptions());
}

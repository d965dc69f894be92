using Cluster.Worker.Tests.Compute.Ilgpu;

namespace Cluster.Device.Tests;

/// <summary>Every operation on an OpenCL device.</summary>
public sealed class OpenClOperationTests(OpenClFixture fixture) : OperationTests(fixture), IClassFixture<OpenClFixture>;

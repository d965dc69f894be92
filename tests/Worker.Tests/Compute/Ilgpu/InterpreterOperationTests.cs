namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>On ILGPU's CPUAccelerator.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterOperationTests(InterpreterFixture fixture) : OperationTests(fixture), IClassFixture<InterpreterFixture>
{
    /// <summary>It walks every stretch by itself anyway.</summary>
    protected override int LongContext => 24;
}

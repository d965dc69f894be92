namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>One real worker for the tests of a class: what one test does to it, the next would feel.</summary>
public sealed class HaikuFixture : IAsyncLifetime
{
    internal HaikuServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await HaikuServer.StartAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

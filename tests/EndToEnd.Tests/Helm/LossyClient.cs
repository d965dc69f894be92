using System.Reflection;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>Loses the first creations of pods on their way, without saying whether they arrived: after that the operator has to look.
/// Everything else passes.</summary>
internal class LossyClient : DispatchProxy
{
    private IKubernetesClient _inner = null!;
    private int _left;

    public static IKubernetesClient Around(IKubernetesClient inner, int losses)
    {
        var proxy = Create<IKubernetesClient, LossyClient>();
        ((LossyClient)(object)proxy)._inner = inner;
        ((LossyClient)(object)proxy)._left = losses;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var createsPod = targetMethod!.Name == nameof(IKubernetesClient.CreateAsync)
            && targetMethod.GetGenericArguments() is [var kind]
            && kind == typeof(V1Pod);
        return createsPod && Interlocked.Decrement(ref _left) >= 0
            ? Task.FromException<V1Pod>(new KubernetesException(0, "Unreachable", "the connection was lost"))
            : targetMethod.Invoke(_inner, BindingFlags.DoNotWrapExceptions, null, args, null);
    }
}

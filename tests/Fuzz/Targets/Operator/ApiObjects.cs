namespace Cluster.Fuzz.Targets.Operator;

/// <summary>Objects that requests are about: plural, collection, and the object with NAME for its name.</summary>
internal static class ApiObjects
{
    public static IReadOnlyDictionary<string, (string Collection, string Json)> All { get; } = new Dictionary<string, (string, string)>
    {
        ["pods"] = ("/api/v1/namespaces/default/pods", """
            {"metadata": {"name": "NAME", "labels": {"a": "b"}, "finalizers": ["x/y"]}, "spec": {"containers": [{"name": "a", "image": "i"},
             {"name": "b", "image": "j", "env": [{"name": "A", "value": "b"}]}], "restartPolicy": "Always", "dnsPolicy": "Default"}}
            """),
        ["services"] = ("/api/v1/namespaces/default/services", """
            {"metadata": {"name": "NAME"}, "spec": {"selector": {"app": "y"}, "ports": [{"port": 80, "protocol": "TCP"}]}}
            """),
        ["configmaps"] = ("/api/v1/namespaces/default/configmaps", """{"metadata": {"name": "NAME"}, "data": {"a": "0", "b": "2"}}"""),
        ["deployments"] = ("/apis/apps/v1/namespaces/default/deployments", """
            {"metadata": {"name": "NAME", "labels": {"app": "x"}}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": {
             "metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "b"}]}]}}}}
            """),
        ["modeldeployments"] = ("/apis/serving.cluster.sh/v1alpha1/namespaces/default/modeldeployments", """
            {"metadata": {"name": "NAME", "labels": {"app": "x"}}, "spec": {"model": {"source": "file:///m"}, "replicas": 1, "tensorParallelSize": 1,
             "tuning": {"env": [{"name": "A", "value": "c"}]}}}
            """),
    };
}

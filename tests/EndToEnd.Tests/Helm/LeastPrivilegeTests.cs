namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>The chart's roles against the requests that the operator makes: nothing missing, nothing to spare.</summary>
public sealed class LeastPrivilegeTests
{
    [Theory]
    [InlineData("defaults", "test-cluster-operator", false)]
    [InlineData("one-namespace", "team-operator", true)]
    public async Task The_operator_may_do_exactly_what_it_does(string set, string serviceAccount, bool oneNamespace)
    {
        var grants = Grant.Of(await Chart.RenderAsync(set), serviceAccount);
        var scenario = await OperatorScenario.RunAsync(oneNamespace);

        var refused = scenario.Requests.Where(request => !grants.Any(grant => grant.Permits(request)))
            .Select(request => $"{request.Verb} {request.Group}/{request.Resource} in {request.Namespace ?? "all namespaces"}").Distinct()
            .Order().ToList();
        var unused = grants.Where(grant => !scenario.Requests.Any(grant.Permits)).Select(grant => grant.ToString()).Order().ToList();
        Assert.True(refused.Count == 0, $"templates/_rules.tpl grants too little:\n{string.Join('\n', refused)}");
        Assert.True(unused.Count == 0, $"templates/_rules.tpl grants what the operator never does:\n{string.Join('\n', unused)}");
    }

    [Fact]
    public async Task In_one_namespace_mode_nothing_is_written_elsewhere()
    {
        var grants = Grant.Of(await Chart.RenderAsync("one-namespace"), "team-operator");

        // But for the marks of GPUs, which are nobody's namespace.
        Assert.All(
            grants.Where(grant => grant.Scope is null && grant is not { Verb: "patch", Resource: "nodes" }),
            grant => Assert.Contains(grant.Verb, (string[])["list", "watch"]));

        // It writes keys of gateways, and reads no Secret.
        Assert.Equal(
            ["create /secrets in default", "patch /secrets in default"],
            grants.Where(grant => grant.Resource == "secrets").Select(grant => grant.ToString()).Order());
    }

    [Fact]
    public async Task Without_a_gateway_the_operator_has_no_secrets()
    {
        var grants = Grant.Of(await Chart.RenderAsync("defaults", "--set", "gateway.enabled=false"), "test-cluster-operator");
        Assert.DoesNotContain(grants, grant => grant.Resource == "secrets");
    }

    [Theory]
    [InlineData("defaults", "test-cluster-gateway", null)]
    [InlineData("one-namespace", "team-gateway", OperatorScenario.WorkNamespace)]
    public async Task A_gateway_may_do_exactly_what_it_does_and_writes_nothing(string set, string serviceAccount, string? oneNamespace)
    {
        var grants = Grant.Of(await Chart.RenderAsync(set), serviceAccount);
        var requests = await GatewayRequests.ObserveAsync(oneNamespace);

        Assert.All(requests, request => Assert.Contains(request.Verb, (string[])["list", "watch"]));
        Assert.All(requests, request => Assert.Contains(grants, grant => grant.Permits(request)));
        Assert.All(grants, grant => Assert.Contains(requests, grant.Permits));
    }

    [Fact]
    public async Task The_node_agent_writes_nodes_and_nothing_else()
    {
        var grants = Grant.Of(await Chart.RenderAsync("defaults"), "test-cluster-node-agent");

        Assert.Equal(
            ["get /nodes in all namespaces", "list /pods in all namespaces", "patch /nodes in all namespaces",
                "watch /pods in all namespaces"],
            grants.Select(grant => grant.ToString()).Order());
    }

    [Fact]
    public async Task Editors_of_a_namespace_can_scale_and_viewers_cannot()
    {
        var roles = (await Chart.RenderAsync("defaults")).OfKind("ClusterRole")
            .ToDictionary(role => role.NameOf(), role => role["rules"].Objects().ToList());

        Assert.Contains(
            roles["test-cluster-edit"],
            rule => rule["resources"].Texts().Contains("modeldeployments/scale") && rule["verbs"].Texts().Contains("patch"));
        Assert.All(roles["test-cluster-view"], rule => Assert.Empty(rule["verbs"].Texts().Except(["get", "list", "watch"])));
    }
}

using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>Who makes a request. Nothing here decides what it may do, which is everything; reviews answer with it.</summary>
internal sealed record Caller(string Name, IReadOnlyList<string> Groups, string? Uid = null)
{
    private const string Authenticated = "system:authenticated";

    public static Caller Administrator { get; } = new("local-admin", ["system:masters", Authenticated]);

    public static Caller ServiceAccount(string @namespace, string name, string? uid) => new(
        $"system:serviceaccount:{@namespace}:{name}",
        ["system:serviceaccounts", $"system:serviceaccounts:{@namespace}", Authenticated], uid);

    /// <summary>Somebody whom the caller stands in for.</summary>
    /// <param name="groups">Empty for those that a service account is in anyway.</param>
    public static Caller Impersonated(string name, IReadOnlyList<string> groups, string? uid) =>
        name.Split(':') is ["system", "serviceaccount", var space, var account] && groups.Count == 0 ? ServiceAccount(space, account, uid)
        : new(name, groups.Contains(Authenticated) || name == "system:anonymous" ? groups : [.. groups, Authenticated], uid);

    public JsonObject ToUserInfo()
    {
        var user = new JsonObject { ["username"] = Name };
        if (Uid is not null)
        {
            user["uid"] = Uid;
        }

        user["groups"] = new JsonArray([.. Groups.Select(group => (JsonNode)group)]);
        return user;
    }
}

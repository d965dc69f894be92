using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>Answers to who one is and what one may do. In local mode nothing is forbidden to anybody who has a token.</summary>
internal static class AccessReviews
{
    public static JsonObject Status(ResourceType type, Caller caller) => type.Kind switch
    {
        "SelfSubjectReview" => new JsonObject { ["userInfo"] = caller.ToUserInfo() },
        "SelfSubjectRulesReview" => new JsonObject
        {
            ["resourceRules"] = new JsonArray(
                new JsonObject { ["verbs"] = Every(), ["apiGroups"] = Every(), ["resources"] = Every() }),
            ["nonResourceRules"] = new JsonArray(new JsonObject { ["verbs"] = Every(), ["nonResourceURLs"] = Every() }),
            ["incomplete"] = false,
        },
        _ => new JsonObject { ["allowed"] = true },
    };

    private static JsonArray Every() => new("*");
}

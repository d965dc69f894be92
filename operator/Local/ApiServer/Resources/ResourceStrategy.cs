using System.Text.Json.Nodes;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>What is particular to a kind when it is written. The default does nothing; called by <c>Writing</c>.</summary>
internal class ResourceStrategy
{
    /// <summary>Sets what the server sets on creation, before validation.</summary>
    public virtual void PrepareForCreate(JsonObject value)
    {
    }

    /// <summary>Keeps what an update may not touch silently, before validation.</summary>
    public virtual void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource)
    {
    }

    /// <summary>Makes of an object in its stored version, copied and renamed already, one of this version.</summary>
    public virtual void Render(JsonObject copy)
    {
    }

    /// <param name="old">null on creation.</param>
    public virtual IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource) => [];

    /// <summary>After the object was stored (not for a dry run).</summary>
    public virtual void Stored(JsonObject value)
    {
    }

    /// <summary>After the object left the store.</summary>
    public virtual void Removed(JsonObject value)
    {
    }

    /// <summary>How long deletion waits for someone to finish the object: 0 deletes at once.</summary>
    public virtual long GracePeriodSeconds(JsonObject value, long? requested) => 0;
}

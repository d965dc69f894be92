using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization.Jinja;
using Microsoft.Extensions.Time.Testing;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Renders small templates for the tests.</summary>
internal static class Rendering
{
    /// <summary>Wednesday, 9 October 2024, 07:05:03 UTC.</summary>
    public static TimeProvider Clock { get; } = new FakeTimeProvider(new DateTimeOffset(2024, 10, 9, 7, 5, 3, TimeSpan.Zero));

    /// <param name="variables">A JSON object of the template's variables.</param>
    public static string Render(string template, string variables = "{}", RenderLimits? limits = null)
    {
        var values = (Dict)Values.FromJson(JsonNode.Parse(variables))!;
        return new Template(template).Render(
            values.Entries.ToDictionary(entry => (string)entry.Key!, entry => entry.Value), Clock, limits ?? RenderLimits.Default);
    }
}

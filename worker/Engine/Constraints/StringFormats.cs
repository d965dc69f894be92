namespace Cluster.Worker.Engine.Constraints;

/// <summary>Patterns for <c>format</c>. Each describes texts that are valid by the format's specification, if not all of them: dates stop
/// at day 28 in February, addresses have their usual spelling.</summary>
internal static class StringFormats
{
    private const string Date =
        "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    private const string Time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    private const string Byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    private const string Label = "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?";
    private const string Host = Label + "(\\." + Label + "){0,3}";

    private const string Email = "[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,16})?@" + Label + "(\\." + Label + "){0,2}\\.[A-Za-z]{2,16}";
    private const string Uri = "https?://" + Host + "(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~-]{0,64}){0,8}";

    private static readonly Dictionary<string, string> Patterns = new()
    {
        ["date"] = Date,
        ["time"] = Time,
        ["date-time"] = $"{Date}T{Time}",
        ["duration"] = "P([0-9]{1,4}D(T[0-9]{1,4}H([0-9]{1,4}M([0-9]{1,4}S)?)?)?|T[0-9]{1,4}[HMS])",
        ["email"] = Email,
        ["hostname"] = Host,
        ["ipv4"] = $"({Byte}\\.){{3}}{Byte}",
        ["ipv6"] = "([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}",
        ["uuid"] = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        ["uri"] = Uri,
        ["iri"] = Uri,
        ["uri-reference"] = Uri,
        ["iri-reference"] = Uri,
        ["idn-email"] = Email,
        ["idn-hostname"] = Host,
        ["json-pointer"] = "(/[A-Za-z0-9_-]{0,32}){0,8}",
    };

    /// <summary>Null for formats that are not known; they say nothing, as JSON schema has it.</summary>
    public static string? PatternOf(string format) => Patterns.GetValueOrDefault(format);
}

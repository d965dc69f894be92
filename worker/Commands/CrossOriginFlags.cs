using System.CommandLine;
using System.Text.Json;
using Cluster.Worker.Serving;

namespace Cluster.Worker.Commands;

/// <summary>The options of <c>serve</c> that let web pages call it, with vLLM's names. Part of <see cref="ServingFlags"/>.</summary>
internal sealed class CrossOriginFlags
{
    private readonly Option<string[]> _origins = List(
        "--allowed-origins",
        "Origins of web pages that may call the HTTP API from a browser, such as https://chat.example.org; * for all. A JSON list or "
        + "several values. Default: none.");

    private readonly Option<string[]> _methods = List("--allowed-methods", "Methods that such pages may use. Default: *.");

    private readonly Option<string[]> _headers = List("--allowed-headers", "Headers that such pages may send. Default: *.");

    private readonly Option<bool> _credentials = new("--allow-credentials")
    {
        Description = "Let browsers send cookies and other credentials of such pages."
    };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_origins, _methods, _headers, _credentials])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            var isUsed = result.GetResult(_methods) is not null
                || result.GetResult(_headers) is not null
                || result.GetResult(_credentials) is { Implicit: false };
            if (isUsed && result.GetResult(_origins) is null)
            {
                result.AddError("--allowed-methods, --allowed-headers and --allow-credentials need --allowed-origins");
            }

            foreach (var option in (Option<string[]>[])[_origins, _methods, _headers])
            {
                foreach (var token in result.GetResult(option)?.Tokens ?? [])
                {
                    if (token.Value.StartsWith('[') && Parse(token.Value) is null)
                    {
                        result.AddError($"{option.Name} {token.Value}: must be a JSON list of strings, or a string");
                    }
                }
            }

            foreach (var token in result.GetResult(_origins)?.Tokens ?? [])
            {
                foreach (var origin in Parse(token.Value) ?? [])
                {
                    if (!IsOrigin(origin))
                    {
                        result.AddError($"--allowed-origins {origin}: must be * or scheme://host[:port], as browsers write an origin");
                    }
                }
            }
        });
    }

    /// <returns>Null when no pages are let in.</returns>
    public CrossOrigin? Read(ParseResult arguments)
    {
        var origins = Values(arguments, _origins);
        return origins.Length == 0
            ? null
            : new CrossOrigin(
                origins, OrAny(Values(arguments, _methods)), OrAny(Values(arguments, _headers)), arguments.GetValue(_credentials));
    }

    private static bool IsOrigin(string origin) => origin == CrossOrigin.Any
        || (Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            && uri.Host.Length > 0
            && uri.PathAndQuery == "/"
            && !origin.EndsWith('/'));

    private static string[] Values(ParseResult arguments, Option<string[]> option) =>
        [.. (arguments.GetValue(option) ?? []).SelectMany(value => Parse(value) ?? [])];

    private static string[] OrAny(string[] values) => values.Length == 0 ? [CrossOrigin.Any] : values;

    private static string[]? Parse(string value)
    {
        if (!value.StartsWith('['))
        {
            return [value];
        }

        try
        {
            return JsonSerializer.Deserialize<string[]>(value) is { } list && list.All(item => item is not null) ? list : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Option<string[]> List(string name, string description) => new(name)
    {
        Description = description,
        AllowMultipleArgumentsPerToken = true,
        HelpName = "LIST",
    };
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>Reads a tree into a type of k8s.io/api as a kube-apiserver does, in place: unknown fields go, nulls stand for absent fields and
/// for the zero values of items, and what has the wrong JSON type fails in Go's words.</summary>
/// <remarks>A real server has two ways. Bodies and JSON or merge patches are texts that sigs.k8s.io/json decodes; strategic merge patches
/// end in a map that apimachinery's converter reads (runtime/converter.go), with words of its own.</remarks>
internal sealed class GoDecoder
{
    /// <summary>sigs.k8s.io/json stops counting here.</summary>
    private const int MaxUnknownFields = 100;

    private static readonly HashSet<string> AlwaysWritten = [
        "Role.rules", "ClusterRole.rules", "EndpointSlice.endpoints", "EndpointSlice.ports"];

    private readonly bool _fromMap;
    private readonly List<(string Text, bool IsField)> _path = [];
    private readonly List<string> _unknown = [];
    private string? _failure;
    private bool _stopped;

    private GoDecoder(bool fromMap) => _fromMap = fromMap;

    /// <param name="value">Changed in place.</param>
    /// <param name="fromMap">The tree is the outcome of a strategic merge patch.</param>
    public static GoDecoding Decode(JsonObject value, GoType type, bool fromMap = false)
    {
        var decoder = new GoDecoder(fromMap);
        decoder.ReadStruct(value, type);
        if (fromMap)
        {
            decoder._unknown.Sort(StringComparer.Ordinal);
        }

        return new GoDecoding(decoder._failure, decoder._unknown);
    }

    private void ReadStruct(JsonObject map, GoType type)
    {
        List<(string Name, JsonNode? Value)>? changes = null;
        foreach (var (name, child) in map)
        {
            if (!type.Fields.TryGetValue(name, out var field))
            {
                Refuse(name);
                (changes ??= []).Add((name, null));
                continue;
            }

            if (child is not null)
            {
                _path.Add((name, true));
                Read(child, field.Type, type.StructName);
                _path.RemoveAt(_path.Count - 1);
            }

            if (child is null || IsLeftOut(child, field, type))
            {
                (changes ??= []).Add((name, null));
            }
            else if (Canonical(child, field.Type) is { } canonical)
            {
                (changes ??= []).Add((name, canonical));
            }
        }

        foreach (var (name, value) in changes ?? [])
        {
            if (value is null)
            {
                map.Remove(name);
            }
            else
            {
                map[name] = value;
            }
        }
    }

    // omitempty: Go writes no list and no map that is empty, unless the field says so.
    private static bool IsLeftOut(JsonNode value, GoField field, GoType type) =>
        ((field.Type.Kind == GoKind.List && value is JsonArray { Count: 0 })
            || (field.Type.Kind == GoKind.Map && value is JsonObject { Count: 0 }))
        && !field.IsRequired
        && !AlwaysWritten.Contains($"{type.StructName}.{field.Name}");

    private static JsonNode? Canonical(JsonNode value, GoType type) =>
        type.Kind == GoKind.Quantity && GoScalars.CanonicalQuantity(value) is { } text ? JsonValue.Create(text) : null;

    /// <param name="owner">The struct with the field that is being read.</param>
    private void Read(JsonNode value, GoType type, string owner)
    {
        if (_stopped)
        {
            return;
        }

        switch (type.Kind, value)
        {
            case (GoKind.Struct, JsonObject map):
                ReadStruct(map, type);
                break;
            case (GoKind.Map, JsonObject map):
                ReadMap(map, type.Item!, owner);
                break;
            case (GoKind.List, JsonArray list):
                ReadList(list, type.Item!, owner);
                break;
            case (GoKind.Any, _):
                break;
            case (GoKind.Struct or GoKind.Map or GoKind.List, _):
                Mismatch(value, type, owner);
                break;
            default:
                ReadScalar(value, type, owner);
                break;
        }
    }

    private void ReadMap(JsonObject map, GoType item, string owner)
    {
        List<(string Key, JsonNode? Value)>? changes = null;
        foreach (var (key, child) in map)
        {
            if (child is null)
            {
                (changes ??= []).Add((key, Zero(item)));
                continue;
            }

            _path.Add((key, false));
            Read(child, item, owner);
            _path.RemoveAt(_path.Count - 1);
            if (Canonical(child, item) is { } canonical)
            {
                (changes ??= []).Add((key, canonical));
            }
        }

        foreach (var (key, value) in changes ?? [])
        {
            map[key] = value;
        }
    }

    private void ReadList(JsonArray list, GoType item, string owner)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i] is not { } child)
            {
                list[i] = Zero(item);
                continue;
            }

            _path.Add(($"[{i.ToString(CultureInfo.InvariantCulture)}]", false));
            Read(child, item, owner);
            _path.RemoveAt(_path.Count - 1);
        }
    }

    private void ReadScalar(JsonNode value, GoType type, string owner)
    {
        var kind = value.GetValueKind();
        switch (type.Kind)
        {
            case GoKind.Text when kind != JsonValueKind.String:
            case GoKind.Boolean when kind is not (JsonValueKind.True or JsonValueKind.False):
            case GoKind.Number when kind != JsonValueKind.Number:
            case GoKind.Integer32 when !GoScalars.IsInteger(value, bits: 32):
            case GoKind.Integer64 when !GoScalars.IsInteger(value, bits: 64):
            case GoKind.Bytes when kind != JsonValueKind.String:
                Mismatch(value, type, owner);
                break;
            case GoKind.Bytes when GoScalars.Base64Problem((string)value!) is { } problem:
                _failure ??= _fromMap ? $"error decoding from json: {problem}" : problem;
                break;
            case GoKind.IntOrString when kind != JsonValueKind.String && !GoScalars.IsInteger(value, bits: 32):
                Stop(Unmarshal(value, "int32", owner));
                break;
            case GoKind.Time when kind != JsonValueKind.String:
                Stop(Unmarshal(value, "string", owner));
                break;
            case GoKind.Time when GoScalars.TimeProblem((string)value!) is { } problem:
                Stop(problem);
                break;
            case GoKind.Quantity when GoScalars.QuantityProblem(value) is { } problem:
                Stop(problem);
                break;
        }
    }

    /// <summary>The types that read themselves end the decoding at once.</summary>
    private void Stop(string failure)
    {
        _failure = failure;
        _stopped = true;
    }

    private void Mismatch(JsonNode value, GoType type, string owner)
    {
        if (_fromMap)
        {
            Stop(NoConversion(value, type));
        }
        else
        {
            _failure ??= Unmarshal(value, type.Name, owner);
        }
    }

    private string Unmarshal(JsonNode value, string type, string owner)
    {
        var what = value.GetValueKind() switch
        {
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            JsonValueKind.Number => type is "int32" or "int64" ? $"number {value.ToJsonString()}" : "number",
            _ => "bool",
        };
        var field = string.Join('.', _path.Where(step => step.IsField).Select(step => step.Text));
        return _fromMap
            ? $"json: cannot unmarshal {what} into Go value of type {type}"
            : $"json: cannot unmarshal {what} into Go struct field {owner}.{field} of type {type}";
    }

    private static string NoConversion(JsonNode value, GoType type)
    {
        var from = value.GetValueKind() switch
        {
            JsonValueKind.Object => "map",
            JsonValueKind.Array => "slice",
            JsonValueKind.String => "string",
            JsonValueKind.Number => GoScalars.IsInteger(value, bits: 64) ? "int64" : "float64",
            _ => "bool",
        };
        return (type.Kind, from) switch
        {
            (GoKind.Struct, _) => $"cannot restore struct from: {from}",
            (GoKind.Map, _) => $"cannot restore map from {from}",
            (GoKind.List or GoKind.Bytes, _) => $"cannot restore slice from {from}",

            // In Go an integer converts to a string, of one character, which the converter then refuses.
            (GoKind.Text, "int64") => $"cannot convert int64 to {type.Name}",
            (GoKind.Integer32 or GoKind.Integer64, "float64" or "int64") => $"cannot convert {from} to {type.Name}",
            _ => $"unrecognized type: {(type.Kind == GoKind.Text ? "string" : type.Name)}",
        };
    }

    private void Refuse(string name)
    {
        if (_unknown.Count < MaxUnknownFields)
        {
            var path = new System.Text.StringBuilder();
            foreach (var (text, _) in _path.Append((Text: name, IsField: true)))
            {
                path.Append(path.Length > 0 && text[..Math.Min(1, text.Length)] != "[" ? "." : "").Append(text);
            }

            _unknown.Add(path.ToString());
        }
    }

    private static JsonNode? Zero(GoType type) => type.Kind switch
    {
        GoKind.Text or GoKind.Bytes => "",
        GoKind.Quantity => "0",
        GoKind.Integer32 or GoKind.Integer64 or GoKind.IntOrString => 0L,
        GoKind.Struct => new JsonObject(),
        GoKind.List => new JsonArray(),
        _ => null,
    };
}

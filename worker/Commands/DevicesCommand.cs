using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary><c>devices</c>: what <c>--device</c> can mean here, and which device <c>auto</c> takes.</summary>
internal static class DevicesCommand
{
    private static readonly JsonSerializerOptions Readable =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON, for programs. The same as --output json." };
        var output = OptionChecks.OneOf("--output", "What to print.", "text", "json");
        output.Aliases.Add("-o");
        var command = new Command(
            "devices", $"Lists the devices that a worker can compute on, after {VisibleDevices.Variable} and drivers have had their say.")
        {
            json, output,
        };
        command.SetAction(arguments =>
        {
            if (arguments.GetValue(json) || arguments.GetValue(output) == "json")
            {
                Console.WriteLine(Json().ToJsonString(Readable));
            }
            else
            {
                Write();
            }
        });
        return command;
    }

    /// <summary>The list for people, and below it what is missing.</summary>
    public static void Write()
    {
        var (devices, notice) = Find();
        Table(devices).Write();
        if (notice is not null)
        {
            Console.WriteLine(notice);
        }
    }

    /// <summary>The rows of the list.</summary>
    public static Listing Table(IReadOnlyList<SeenDevice> devices)
    {
        var listing = new Listing("INDEX", "KIND", "NAME", "UUID", "MEMORY", "ARCHITECTURE", "DRIVER", "AUTO");
        foreach (var device in devices)
        {
            listing.Add(
                device.Index.ToString(CultureInfo.InvariantCulture), device.Kind, device.Name, device.Uuid ?? "-",
                string.Create(CultureInfo.InvariantCulture, $"{device.MemoryBytes / (double)(1L << 30):F1} GiB"),
                device.Architecture ?? "-", device.Driver, device.IsAuto ? "yes" : "-");
        }

        return listing;
    }

    private static JsonObject Json()
    {
        var (devices, notice) = Find();
        return new JsonObject
        {
            ["devices"] = new JsonArray([.. devices.Select(ToJson)]),
            ["notice"] = notice,
        };
    }

    /// <summary>A device for programs.</summary>
    public static JsonNode ToJson(SeenDevice device) => new JsonObject
    {
        ["index"] = device.Index,
        ["device"] = device.Option,
        ["kind"] = device.Kind,
        ["name"] = device.Name,
        ["uuid"] = device.Uuid,
        ["memoryBytes"] = device.MemoryBytes,
        ["architecture"] = device.Architecture,
        ["driver"] = device.Driver,
        ["auto"] = device.IsAuto,
    };

    /// <summary>Devices, and what the user should know of those that are not there; null where a driver has one and none
    /// fails.</summary>
    private static (IReadOnlyList<SeenDevice> Devices, string? Notice) Find()
    {
        var devices = SeenDevices.Find(out var failures);
        var notice = failures.Count > 0 ? string.Join('\n', failures)
            : devices.Any(device => DeviceNames.Gpus.Contains(device.Option)) ? null
            : OpenClAdvice.Text;
        return (devices, notice);
    }
}

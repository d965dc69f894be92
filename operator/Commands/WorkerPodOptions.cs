using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Commands;

/// <summary>The options of <c>run</c> and <c>render</c> that end in every worker pod.</summary>
internal sealed class WorkerPodOptions
{
    private readonly Option<string> _image;
    private readonly Option<string> _runtimeClass = new("--runtime-class")
    {
        Description = "RuntimeClass of AMD's container runtime, for deviceAccess: RuntimeClass.",
        DefaultValueFactory = _ => "amd",
        HelpName = "NAME"
    };
    private readonly Option<string?> _hubCache = new("--hub-cache")
    {
        Description =
            "Folder on every node that keeps downloaded models, writable by user 10001, where a deployment names no cache of its own. "
            + "Default: a cache that is deleted with the pod.",
        HelpName = "PATH"
    };
    private readonly Option<string[]> _pullSecrets = new("--image-pull-secret")
    {
        Description = "Secret, in the deployment's namespace, to pull the worker's image with. Can be repeated.",
        HelpName = "NAME"
    };
    private readonly Option<int[]> _deviceGroups = new("--device-group")
    {
        Description =
            "Group that owns /dev/kfd and /dev/dri/render* on the nodes (stat -c %g /dev/kfd). Can be repeated. Default: 44 and 109, "
            + "video and render of Debian and Ubuntu.",
        HelpName = "GID",
    };

    private readonly Option<string?> _gatewayKey = new("--gateway-key-file")
    {
        Description =
            "File with the master key that operator and gateway share, at least 16 bytes (openssl rand -hex 32). Each deployment gets a "
            + "Secret NAME-gateway-key with a key derived from it, by which its workers know the gateway. Default: there is no gateway.",
        HelpName = "FILE"
    };

    private readonly PodPolicyOptions _policy = new();

    /// <param name="defaultImage">Null where the user has to name one.</param>
    public WorkerPodOptions(string? defaultImage)
    {
        _image = new Option<string>("--worker-image")
        {
            Description = "Image of the worker container.",
            Required = defaultImage is null,
            HelpName = "IMAGE"
        };
        if (defaultImage is not null)
        {
            _image.DefaultValueFactory = _ => defaultImage;
        }

        _deviceGroups.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(t => int.TryParse(t.Value, out var group) && group < 0) is { } negative)
            {
                result.AddError($"--device-group {negative.Value}: must not be negative");
            }
        });
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_image);
        command.Options.Add(_runtimeClass);
        command.Options.Add(_hubCache);
        command.Options.Add(_pullSecrets);
        command.Options.Add(_deviceGroups);
        command.Options.Add(_gatewayKey);
        _policy.AddTo(command, withPrefixes: true);
    }

    /// <exception cref="CommandFailure">The master key is too short.</exception>
    /// <exception cref="IOException">Its file cannot be read.</exception>
    public WorkerOptions Read(ParseResult arguments)
    {
        WorkerOptions options = new(arguments.GetValue(_image)!, arguments.GetValue(_runtimeClass)!, arguments.GetValue(_hubCache))
        {
            Policy = _policy.Read(arguments),
            ImagePullSecrets = arguments.GetValue(_pullSecrets) ?? [],
            GatewayMasterKey = arguments.GetValue(_gatewayKey) is { } file ? ReadKey(file) : null,
        };
        return arguments.GetValue(_deviceGroups) is { Length: > 0 } groups ? options with { DeviceGroups = groups } : options;
    }

    private static byte[] ReadKey(string file)
    {
        try
        {
            return GatewayKey.ReadMaster(file);
        }
        catch (InvalidDataException wrong)
        {
            throw new CommandFailure($"--gateway-key-file {wrong.Message}", wrong);
        }
    }
}

using System.CommandLine;
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
        _policy.AddTo(command, withPrefixes: true);
    }

    public WorkerOptions Read(ParseResult arguments)
    {
        WorkerOptions options = new(arguments.GetValue(_image)!, arguments.GetValue(_runtimeClass)!, arguments.GetValue(_hubCache))
        {
            Policy = _policy.Read(arguments),
            ImagePullSecrets = arguments.GetValue(_pullSecrets) ?? [],
        };
        return arguments.GetValue(_deviceGroups) is { Length: > 0 } groups ? options with { DeviceGroups = groups } : options;
    }
}

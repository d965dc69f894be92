using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>What <c>kubectl explain</c> tells of Pods and Services below their spec: our own short table of the fields of k8s.io/api, one
/// type a block. Nothing is validated by it, so a field that is missing here can still be written.</summary>
/// <remarks><code>Type
///  name type description    s text · i integer · b boolean · m map of text · o any object · q quantities by resource ·
///                           x integer or text · Other type · []TYPE list · * after the name: required</code></remarks>
internal static class CoreFieldTable
{
    private const string Table = """
        PodSpec
         activeDeadlineSeconds i Seconds the pod may be active before it is failed.
         affinity o Rules of where the pod may be scheduled.
         automountServiceAccountToken b Whether a token of the service account is mounted.
         containers* []Container Containers of the pod; at least one.
         dnsPolicy s How names are resolved: ClusterFirst, ClusterFirstWithHostNet, Default or None.
         enableServiceLinks b Whether services appear in environment variables.
         hostIPC b Use the IPC namespace of the node.
         hostNetwork b Use the network of the node.
         hostPID b Use the process namespace of the node.
         hostname s Host name of the pod.
         imagePullSecrets []LocalObjectReference Secrets to pull images with.
         initContainers []Container Containers that run to their end, one after another, before the others.
         nodeName s The node that the pod is bound to.
         nodeSelector m Labels that a node must have.
         priorityClassName s Name of the PriorityClass.
         restartPolicy s Always, OnFailure or Never.
         runtimeClassName s Name of the RuntimeClass.
         schedulerName s The scheduler that binds the pod.
         securityContext o Security settings of the pod.
         serviceAccountName s The ServiceAccount that the pod runs as.
         terminationGracePeriodSeconds i Seconds between the request to end and the kill.
         tolerations []Toleration Taints of nodes that the pod tolerates.
         topologySpreadConstraints []TopologySpreadConstraint How pods are spread over topology domains.
         volumes []Volume Volumes that containers can mount.
        Container
         args []s Arguments of the command.
         command []s The program and its first arguments; the image's own where absent.
         env []EnvVar Environment variables.
         image s The image to run.
         imagePullPolicy s Always, IfNotPresent or Never.
         lifecycle o What is done after the start and before the end.
         livenessProbe Probe The container is restarted when it fails.
         name* s A DNS label, unique in the pod.
         ports []ContainerPort Ports that the container listens at.
         readinessProbe Probe The container gets no requests while it fails.
         resources ResourceRequirements What the container needs and may use.
         securityContext o Security settings of the container.
         startupProbe Probe The other probes wait until it succeeds.
         stdin b Whether standard input is kept open.
         terminationMessagePath s File whose content becomes the termination message.
         terminationMessagePolicy s File or FallbackToLogsOnError.
         tty b Whether the container has a terminal.
         volumeMounts []VolumeMount Where volumes are mounted.
         workingDir s The working directory.
        ContainerPort
         containerPort* i Port number, 1 to 65535.
         hostIP s Address of the node to bind.
         hostPort i Port of the node.
         name s Name that services can refer to.
         protocol s TCP, UDP or SCTP.
        EnvVar
         name* s Name of the variable.
         value s Its value; $(NAME) is replaced by variables before it.
         valueFrom EnvVarSource Where its value comes from.
        EnvVarSource
         configMapKeyRef KeySelector A key of a ConfigMap.
         fieldRef ObjectFieldSelector A field of the pod.
         resourceFieldRef o A resource of a container.
         secretKeyRef KeySelector A key of a Secret.
        KeySelector
         key* s The key.
         name s Name of the object.
         optional b Whether the object or the key may be absent.
        ObjectFieldSelector
         apiVersion s Version of the schema that the path is of.
         fieldPath* s Path of the field.
        LocalObjectReference
         name s Name of the object.
        Probe
         exec o A command that must exit with 0.
         failureThreshold i Failures in a row that count as failed.
         grpc o A gRPC health check.
         httpGet o A request that must be answered with 200 to 399.
         initialDelaySeconds i Seconds from the start to the first probe.
         periodSeconds i Seconds between probes.
         successThreshold i Successes in a row that count as succeeded.
         tcpSocket o A port that must accept connections.
         timeoutSeconds i Seconds after which a probe has failed.
        ResourceRequirements
         claims []o Claims of dynamic resources.
         limits q Most that may be used.
         requests q Least that is needed.
        Toleration
         effect s NoSchedule, PreferNoSchedule or NoExecute; all where absent.
         key s Key of the taint; all where absent.
         operator s Exists or Equal.
         tolerationSeconds i Seconds a NoExecute taint is tolerated.
         value s Value of the taint.
        TopologySpreadConstraint
         labelSelector o The pods that are counted.
         maxSkew* i Largest difference between domains.
         topologyKey* s Label of nodes that makes domains.
         whenUnsatisfiable* s DoNotSchedule or ScheduleAnyway.
        Volume
         configMap o Files of a ConfigMap.
         emptyDir o A folder that lives as long as the pod.
         hostPath o A file or folder of the node.
         name* s A DNS label, unique in the pod.
         persistentVolumeClaim o A claim.
         projected o Several sources in one folder.
         secret o Files of a Secret.
        VolumeMount
         mountPath* s Where in the container.
         name* s Name of the volume.
         readOnly b Whether it cannot be written.
         subPath s Path in the volume.
        PodStatus
         conditions []o Conditions of the pod: PodScheduled, Initialized, ContainersReady, Ready.
         containerStatuses []o State of each container.
         hostIP s Address of the node.
         message s Why the pod is in this phase.
         phase s Pending, Running, Succeeded, Failed or Unknown.
         podIP s Address of the pod.
         qosClass s Guaranteed, Burstable or BestEffort.
         reason s Why the pod is in this phase, in one word.
         startTime s When the node took the pod.
        ServiceSpec
         allocateLoadBalancerNodePorts b Whether a LoadBalancer service gets node ports.
         clusterIP s Address of the service; None for a headless one. It does not change.
         clusterIPs []s Addresses of the service, one of each family.
         externalIPs []s Addresses that nodes take traffic of the service at.
         externalName s The name that a service of type ExternalName stands for.
         externalTrafficPolicy s Cluster or Local.
         internalTrafficPolicy s Cluster or Local.
         ipFamilies []s IPv4, IPv6.
         ipFamilyPolicy s SingleStack, PreferDualStack or RequireDualStack.
         loadBalancerClass s The class of load balancer.
         ports []ServicePort Ports of the service.
         publishNotReadyAddresses b Whether pods count as endpoints before they are ready.
         selector m Labels of the pods behind the service.
         sessionAffinity s None or ClientIP.
         sessionAffinityConfig o How long a client stays with a pod.
         type s ClusterIP, NodePort, LoadBalancer or ExternalName.
        ServicePort
         appProtocol s The protocol that is spoken, for implementations that know it.
         name s Name of the port, unique in the service.
         nodePort i Port of every node.
         port* i Port of the service.
         protocol s TCP, UDP or SCTP.
         targetPort x Number or name of the pods' port.
        ServiceStatus
         conditions []o Conditions of the service.
         loadBalancer o Addresses of the load balancer.
        """;

    private const string Prefix = "io.k8s.api.core.v1.";

    private static readonly Dictionary<string, JsonObject> Types = Parse();

    /// <summary>The schema of a Pod's or a Service's <c>spec</c> or <c>status</c>, as a reference.</summary>
    /// <returns>Null for other kinds.</returns>
    public static JsonObject? Reference(string kind, string part, string description) =>
        Types.ContainsKey(kind + part) ? Described(Reference(kind + part), description) : null;

    /// <summary>Adds every type of the table to <c>components.schemas</c>.</summary>
    public static void AddTo(JsonObject schemas)
    {
        foreach (var (name, schema) in Types)
        {
            schemas[Prefix + name] = schema.DeepClone();
        }
    }

    private static Dictionary<string, JsonObject> Parse()
    {
        Dictionary<string, JsonObject> schemas = [];
        JsonObject? current = null;
        foreach (var line in Table.Split('\n'))
        {
            if (line[0] != ' ')
            {
                schemas[line] = current = new JsonObject
                {
                    ["type"] = "object",
                    ["description"] = $"A {line}.",
                    ["properties"] = new JsonObject(),
                };
                continue;
            }

            var parts = line.Trim().Split(' ', 3);
            var name = parts[0].TrimEnd('*');
            if (name.Length < parts[0].Length)
            {
                if (current!["required"] is not JsonArray required)
                {
                    current["required"] = required = [];
                }

                required.Add(name);
            }

            ((JsonObject)current!["properties"]!)[name] = Described(Type(parts[1]), parts[2]);
        }

        return schemas;
    }

    private static JsonObject Type(string type) => type switch
    {
        _ when type.StartsWith("[]", StringComparison.Ordinal) => new JsonObject { ["type"] = "array", ["items"] = Type(type[2..]) },
        "s" => new JsonObject { ["type"] = "string" },
        "i" => new JsonObject { ["type"] = "integer" },
        "b" => new JsonObject { ["type"] = "boolean" },
        "x" => new JsonObject { ["type"] = "string", ["format"] = "int-or-string" },
        "m" or "q" => new JsonObject
        {
            ["type"] = "object",
            ["additionalProperties"] = new JsonObject { ["type"] = "string" },
        },
        "o" => new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true },
        _ => Reference(type),
    };

    private static JsonObject Reference(string type) => new()
    {
        ["allOf"] = new JsonArray(new JsonObject { ["$ref"] = $"#/components/schemas/{Prefix}{type}" }),
        ["default"] = new JsonObject(),
    };

    private static JsonObject Described(JsonObject schema, string description)
    {
        schema["description"] = description;
        return schema;
    }
}

using System.Collections.Frozen;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>Facts of k8s.io/api that the client library's classes have lost: which strings and lists are of a type with a name of its own,
/// and which fields are always written and not optional.</summary>
internal static class GoTypeTable
{
    /// <summary><code>GO.TYPE STRUCT.field …</code></summary>
    private const string Named = """
        types.UID BoundObjectReference.uid ConfigMapNodeConfigSource.uid ObjectMeta.uid ObjectReference.uid OwnerReference.uid
         Preconditions.uid
        v1.AddressType EndpointSlice.addressType
        v1.AppArmorProfileType AppArmorProfile.type
        v1.AzureDataDiskCachingMode AzureDiskVolumeSource.cachingMode
        v1.AzureDataDiskKind AzureDiskVolumeSource.kind
        v1.Capability Capabilities.add Capabilities.drop
        v1.ConditionStatus Condition.status DaemonSetCondition.status DeploymentCondition.status HorizontalPodAutoscalerCondition.status
         NamespaceCondition.status NodeCondition.status PersistentVolumeClaimCondition.status PodCondition.status
         ReplicaSetCondition.status StatefulSetCondition.status
        v1.ContainerRestartPolicy Container.restartPolicy EphemeralContainer.restartPolicy
        v1.ContainerRestartRuleAction ContainerRestartRule.action
        v1.ContainerRestartRuleOnExitCodesOperator ContainerRestartRuleOnExitCodes.operator
        v1.CoordinatedLeaseStrategy LeaseSpec.strategy
        v1.DNSPolicy PodSpec.dnsPolicy
        v1.DaemonSetConditionType DaemonSetCondition.type
        v1.DaemonSetUpdateStrategyType DaemonSetUpdateStrategy.type
        v1.DeletionPropagation DeleteOptions.propagationPolicy
        v1.DeploymentConditionType DeploymentCondition.type
        v1.DeploymentStrategyType DeploymentStrategy.type
        v1.DeviceAllocationMode DeviceSubRequest.allocationMode ExactDeviceRequest.allocationMode
        v1.DeviceTaintEffect DeviceToleration.effect
        v1.DeviceTolerationOperator DeviceToleration.operator
        v1.FailurePolicyType ValidatingAdmissionPolicySpec.failurePolicy
        v1.FieldSelectorOperator FieldSelectorRequirement.operator
        v1.FinalizerName NamespaceSpec.finalizers
        v1.FullyQualifiedName DeviceConstraint.distinctAttribute DeviceConstraint.matchAttribute
        v1.GRPCProbeMode GRPCAction.mode
        v1.HTTPProtocol HTTPGetAction.protocol
        v1.HorizontalPodAutoscalerConditionType HorizontalPodAutoscalerCondition.type
        v1.HostPathType HostPathVolumeSource.type
        v1.IPFamily ServiceSpec.ipFamilies
        v1.IPFamilyPolicy ServiceSpec.ipFamilyPolicy
        v1.LabelSelectorOperator LabelSelectorRequirement.operator
        v1.LoadBalancerIPMode LoadBalancerIngress.ipMode
        v1.ManagedFieldsOperationType ManagedFieldsEntry.operation
        v1.MatchPolicyType MatchResources.matchPolicy
        v1.MetricSourceType MetricSpec.type MetricStatus.type
        v1.MountPropagationMode VolumeMount.mountPropagation
        v1.NamespaceConditionType NamespaceCondition.type
        v1.NamespacePhase NamespaceStatus.phase
        v1.NodeAddressType NodeAddress.type
        v1.NodeConditionType NodeCondition.type
        v1.NodeInclusionPolicy TopologySpreadConstraint.nodeAffinityPolicy TopologySpreadConstraint.nodeTaintsPolicy
        v1.NodePhase NodeStatus.phase
        v1.NodeSelectorOperator NodeSelectorRequirement.operator
        v1.OSName PodOS.name
        v1.OperationType NamedRuleWithOperations.operations
        v1.ParameterNotFoundActionType ParamRef.parameterNotFoundAction
        v1.PathType HTTPIngressPath.pathType
        v1.PersistentVolumeAccessMode PersistentVolumeClaimSpec.accessModes PersistentVolumeClaimStatus.accessModes
        v1.PersistentVolumeClaimConditionType PersistentVolumeClaimCondition.type
        v1.PersistentVolumeClaimModifyVolumeStatus ModifyVolumeStatus.status
        v1.PersistentVolumeClaimPhase PersistentVolumeClaimStatus.phase
        v1.PersistentVolumeClaimRetentionPolicyType StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted
         StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled
        v1.PersistentVolumeMode PersistentVolumeClaimSpec.volumeMode
        v1.PodConditionType PodCondition.type PodReadinessGate.conditionType
        v1.PodFSGroupChangePolicy PodSecurityContext.fsGroupChangePolicy
        v1.PodManagementPolicyType StatefulSetSpec.podManagementPolicy
        v1.PodPhase PodStatus.phase
        v1.PodQOSClass PodStatus.qosClass
        v1.PodResizeStatus PodStatus.resize
        v1.PodSELinuxChangePolicy PodSecurityContext.seLinuxChangePolicy
        v1.PolicyType NetworkPolicySpec.policyTypes
        v1.PreemptionPolicy PodSpec.preemptionPolicy
        v1.ProcMountType SecurityContext.procMount
        v1.Protocol ContainerPort.protocol EndpointPort.protocol IngressPortStatus.protocol NetworkPolicyPort.protocol PortStatus.protocol
         ServicePort.protocol
        v1.PullPolicy Container.imagePullPolicy EphemeralContainer.imagePullPolicy ImageVolumeSource.pullPolicy
        v1.RecursiveReadOnlyMode VolumeMount.recursiveReadOnly VolumeMountStatus.recursiveReadOnly
        v1.ReplicaSetConditionType ReplicaSetCondition.type
        v1.ResourceHealthStatus ResourceHealth.health
        v1.ResourceID ResourceHealth.resourceID
        v1.ResourceList ContainerStatus.allocatedResources NodeStatus.allocatable NodeStatus.capacity Overhead.podFixed
         PersistentVolumeClaimStatus.allocatedResources PersistentVolumeClaimStatus.capacity PodSpec.overhead PodStatus.allocatedResources
         ResourceQuotaSpec.hard ResourceQuotaStatus.hard ResourceQuotaStatus.used ResourceRequirements.limits
         ResourceRequirements.requests VolumeResourceRequirements.limits VolumeResourceRequirements.requests
        v1.ResourceName ContainerResizePolicy.resourceName ContainerResourceMetricSource.name ContainerResourceMetricStatus.name
         NodeAllocatableMappedResources.name NodeAllocatableOverheadResources.name ResourceMetricSource.name ResourceMetricStatus.name
         ResourceStatus.name
        v1.ResourceQuotaScope ResourceQuotaSpec.scopes ScopedResourceSelectorRequirement.scopeName
        v1.ResourceResizeRestartPolicy ContainerResizePolicy.restartPolicy
        v1.RestartPolicy PodSpec.restartPolicy
        v1.ScopeSelectorOperator ScopedResourceSelectorRequirement.operator
        v1.ScopeType NamedRuleWithOperations.scope
        v1.SeccompProfileType SeccompProfile.type
        v1.SecretType Secret.type
        v1.ServiceAffinity ServiceSpec.sessionAffinity
        v1.ServiceExternalTrafficPolicy ServiceSpec.externalTrafficPolicy
        v1.ServiceInternalTrafficPolicy ServiceSpec.internalTrafficPolicy
        v1.ServiceType ServiceSpec.type
        v1.Signal ContainerStatus.stopSignal Lifecycle.stopSignal
        v1.StatefulSetConditionType StatefulSetCondition.type
        v1.StatefulSetUpdateStrategyType StatefulSetUpdateStrategy.type
        v1.StorageMedium EmptyDirVolumeSource.medium
        v1.SupplementalGroupsPolicy PodSecurityContext.supplementalGroupsPolicy
        v1.TaintEffect Taint.effect Toleration.effect
        v1.TerminationMessagePolicy Container.terminationMessagePolicy EphemeralContainer.terminationMessagePolicy
        v1.TolerationOperator Toleration.operator
        v1.URIScheme HTTPGetAction.scheme
        v1.UnhealthyPodEvictionPolicyType PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy
        v1.UniqueVolumeName AttachedVolume.name NodeStatus.volumesInUse
        v1.UnsatisfiableConstraintAction TopologySpreadConstraint.whenUnsatisfiable
        v1.ValidationAction ValidatingAdmissionPolicyBindingSpec.validationActions
        v1.VolumeHealthStatusType VolumeHealthCondition.status
        v2.HPAScalingPolicyType HPAScalingPolicy.type
        v2.HorizontalPodAutoscalerConditionType HorizontalPodAutoscalerCondition.type
        v2.MetricSourceType MetricSpec.type MetricStatus.type
        v2.MetricTargetType MetricTarget.type
        v2.ScalingPolicySelect HPAScalingRules.selectPolicy
        """;

    /// <summary><code>STRUCT:field,field …</code></summary>
    private const string Required = """
        AWSElasticBlockStoreVolumeSource:volumeID AppArmorProfile:type AttachedVolume:devicePath,name AuditAnnotation:key,valueExpression
         AzureDiskVolumeSource:diskName,diskURI AzureFileVolumeSource:secretName,shareName Binding:target CELDeviceSelector:expression
         CSIVolumeSource:driver CephFSVolumeSource:monitors CinderVolumeSource:volumeID ClusterRoleBinding:roleRef
         ClusterTrustBundleProjection:path Condition:lastTransitionTime,message,reason,type ConfigMapKeySelector:key
         ConfigMapNodeConfigSource:kubeletConfigKey,name,namespace Container:name
         ContainerExtendedResourceRequest:containerName,requestName,resourceName ContainerResizePolicy:resourceName,restartPolicy
         ContainerResourceMetricSource:container,name,target ContainerResourceMetricStatus:container,current,currentAverageValue,name
         ContainerStatus:image,imageID,name CrossVersionObjectReference:kind,name DaemonSetSpec:selector,template
         DeploymentSpec:selector,template DeviceRequest:name DeviceSubRequest:deviceClassName,name DownwardAPIVolumeFile:path
         Endpoint:addresses EndpointSlice:addressType EnvVar:name EphemeralContainer:name Event:involvedObject EvictionResponder:name
         ExactDeviceRequest:deviceClassName ExpressionWarning:fieldRef,warning ExternalMetricSource:metric,metricName,target
         ExternalMetricStatus:current,currentValue,metric,metricName FieldSelectorRequirement:key,operator
         FileKeySelector:key,path,volumeName FlexVolumeSource:driver ForNode:name ForZone:name GCEPersistentDiskVolumeSource:pdName
         GitRepoVolumeSource:repository GlusterfsVolumeSource:endpoints,path HPAScalingPolicy:type HTTPGetAction:port
         HTTPHeader:name,value HTTPIngressPath:backend,pathType HTTPIngressRuleValue:paths HorizontalPodAutoscalerCondition:type
         HorizontalPodAutoscalerSpec:scaleTargetRef HostAlias:ip HostIP:ip HostPathVolumeSource:path IPBlock:cidr
         ISCSIVolumeSource:iqn,targetPortal IngressPortStatus:protocol IngressServiceBackend:name KeyToPath:key,path
         LabelSelectorRequirement:key,operator MatchCondition:expression,name MetricIdentifier:name MetricSpec:type MetricStatus:type
         MetricTarget:type NFSVolumeSource:path,server NamespaceCondition:type NodeAddress:address,type
         NodeAllocatableMappedResources:name,quantity NodeAllocatableOverheadResources:name
         NodeAllocatableResourceClaimStatus:resourceClaimName NodeCondition:type NodeSelector:nodeSelectorTerms
         NodeSelectorRequirement:key,operator
         NodeSystemInfo:architecture,bootID,containerRuntimeVersion,kernelVersion,kubeProxyVersion,kubeletVersion
         NodeSystemInfo:machineID,operatingSystem,osImage,systemUUID
         NonResourceRule:verbs ObjectFieldSelector:fieldPath ObjectMetricSource:describedObject,metric,metricName,target,targetValue
         ObjectMetricStatus:current,currentValue,describedObject,metric,metricName,target OpaqueDeviceConfiguration:driver,parameters
         OwnerReference:apiVersion,kind,name,uid PersistentVolumeClaimCondition:type PersistentVolumeClaimVolumeSource:claimName
         PhotonPersistentDiskVolumeSource:pdID PodAffinityTerm:topologyKey PodCondition:type
         PodExtendedResourceClaimStatus:requestMappings,resourceClaimName PodIP:ip PodOS:name PodReadinessGate:conditionType
         PodResourceClaim:name PodResourceClaimStatus:name PodSchedulingGate:name PodSpec:containers PodVolumeHealth:name
         PodsMetricSource:metric,metricName,target,targetAverageValue PodsMetricStatus:current,currentAverageValue,metric,metricName
         PolicyRule:verbs PortStatus:protocol PortworxVolumeSource:volumeID PreferredSchedulingTerm:preference
         QuobyteVolumeSource:registry,volume RBDVolumeSource:image,monitors ReplicaSetSpec:selector ResourceClaim:name
         ResourceFieldSelector:resource ResourceHealth:resourceID ResourceMetricSource:name,target
         ResourceMetricStatus:current,currentAverageValue,name ResourceRule:verbs ResourceStatus:name RoleBinding:roleRef
         RoleRef:kind,name RuntimeClass:handler ScaleIOVolumeSource:gateway,secretRef,system
         ScopedResourceSelectorRequirement:operator,scopeName SeccompProfile:type SecretKeySelector:key ServiceAccountTokenProjection:path
         ServiceReference:name,namespace StatefulSetSpec:selector,template Subject:kind,name
         SubjectRulesReviewStatus:nonResourceRules,resourceRules Sysctl:name,value TCPSocketAction:port Taint:effect,key
         TopologySpreadConstraint:topologyKey,whenUnsatisfiable TypedLocalObjectReference:kind,name TypedObjectReference:kind,name
         Validation:expression Variable:expression,name Volume:name VolumeDevice:devicePath,name VolumeHealthCondition:reason
         VolumeMount:mountPath,name VolumeMountStatus:mountPath,name VsphereVirtualDiskVolumeSource:volumePath
         WeightedPodAffinityTerm:podAffinityTerm
        """;

    private static readonly FrozenDictionary<string, string> Names = ReadNames();

    private static readonly FrozenSet<string> RequiredFields = Tokens(Required)
        .Select(token => token.Split(':'))
        .SelectMany(entry => entry[1].Split(',').Select(field => $"{entry[0]}.{field}"))
        .ToFrozenSet(StringComparer.Ordinal);

    /// <param name="path">Such as <c>PodSpec.restartPolicy</c>.</param>
    /// <returns>Null where the type has no name of its own.</returns>
    public static string? NameOf(string path) => Names.GetValueOrDefault(path);

    public static bool IsRequired(string path) => RequiredFields.Contains(path);

    private static FrozenDictionary<string, string> ReadNames()
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var type = "";
        foreach (var token in Tokens(Named))
        {
            // Packages are written small, structs are not.
            if (char.IsAsciiLetterLower(token[0]))
            {
                type = token;
            }
            else
            {
                names[token] = type;
            }
        }

        return names.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static string[] Tokens(string table) => table.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
}

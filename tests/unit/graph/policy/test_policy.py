"""The built-in policy: whatever isn't known is refused."""

from functools import partial
from typing import Any

import pytest

from graph.policy import BUILT_IN, SecretNames, parse_policy, refuse_patch, refuse_reach
from graph.policy import refuse_call as refuse_call_under
from graph.policy import refuse_change as refuse_change_under
from graph.policy import refuse_read as refuse_read_under
from graph.policy import refuse_tool as refuse_tool_under
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import PatchArguments
from tools.mcp.toolbox import OWN_SERVER, ToolOffer

BEFORE = {"metadata": {"name": "web"}}
CONTAINER = "spec.template.spec.containers[nginx]"

refuse_call = partial(refuse_call_under, policy=BUILT_IN)
refuse_change = partial(refuse_change_under, "Deployment", policy=BUILT_IN)
refuse_read = partial(refuse_read_under, policy=BUILT_IN)
refuse_tool = partial(refuse_tool_under, policy=BUILT_IN)


def call(**changes: Any) -> PatchArguments:
    fields = {"resource_type": "deployment", "name": "web", "namespace": "default", "patch_data": {}}
    return PatchArguments.model_validate(fields | changes)


def offer(name: str, server: str = "npm", *, hint: bool = False, trusted: bool = False) -> ToolOffer:
    return ToolOffer(server, name, "", {}, hint, trusted)


@pytest.mark.parametrize(
    "tool",
    [
        "kubectl_patch", "kubectl_delete", "kubectl_generic", "exec_in_pod", "configuration_view", "",
        "KUBECTL_GET", "kubectl_get ", "kubectl-get", "kubectl_g\u0435t", "xkubectl_get", "kubectl_get_",
    ],
)  # fmt: skip
def test_a_tool_that_is_not_listed_counts_as_mutating(tool: str) -> None:
    assert refuse_read(offer(tool), {})
    assert refuse_read(offer(tool, trusted=True), {})
    assert refuse_read(offer(tool, hint=True), {})


def test_a_servers_word_counts_where_it_is_trusted() -> None:
    trusted = offer("search_runbooks", hint=True, trusted=True)

    assert refuse_read(trusted, {"query": "ImagePullBackOff"}) is None
    assert refuse_read(trusted, {"kubeconfig": "/etc/admin"})
    assert refuse_read(trusted, {"resourceType": "secrets"})
    assert refuse_read(trusted, {"what": "secret/db"})
    assert refuse_read(trusted, {"what": ["secrets"]})


def test_a_tool_that_nobody_offers_is_refused() -> None:
    assert refuse_read(None, {}) == "there is no such tool"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("kubectl_get", {"resourceType": "pods", "namespace": "default", "labelSelector": "app=web"}),
        ("kubectl_get", {"resourceType": "deployments.v1.apps", "name": "web", "output": "json"}),
        ("kubectl_describe", {"resourceType": "pod", "name": "web-1", "namespace": "default"}),
        ("kubectl_logs", {"resourceType": "pod", "name": "web-1", "tail": 50, "previous": True}),
        ("kubectl_rollout", {"subCommand": "status", "resourceType": "deployment", "name": "web"}),
        ("resources_get", {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}),
        ("pods_list_in_namespace", {"namespace": "default"}),
    ],
)
def test_reading_is_let_through(tool: str, arguments: dict[str, Any]) -> None:
    assert refuse_read(offer(tool), arguments) is None


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("kubectl_get", {"resourceType": "secrets", "namespace": "default"}, "Secrets"),
        ("kubectl_get", {"resourceType": "pods,secrets"}, "one kind"),
        ("kubectl_get", {"resourceType": "pods", "name": "secret/db"}, "without its kind"),
        ("kubectl_get", {"resourceType": ["secrets"]}, "plain value"),
        ("kubectl_get", {"resourceType": "pods", "context": "production"}, "context"),
        ("kubectl_get", {"resourceType": "pods", "name": "--raw=/api/v1/secrets"}, "dash"),
        ("kubectl_get", {"resourceType": "pods", "namespace": " -A"}, "dash"),
        ("kubectl_logs", {"resourceType": "pod", "name": "web", "follow": True}, "follow"),
        ("kubectl_rollout", {"subCommand": "restart", "resourceType": "deployment", "name": "web"}, "status"),
        ("kubectl_rollout", {"subCommand": "undo", "resourceType": "deployment", "name": "web"}, "status"),
        ("kubectl_rollout", {"resourceType": "deployment", "name": "web"}, "status"),
        ("resources_get", {"apiVersion": "v1", "kind": "Secret", "name": "db"}, "Secrets"),
        ("resources_list", {"apiVersion": "v1", "kind": "secret"}, "Secrets"),
    ],
)
def test_reading_that_reaches_too_far_is_refused(tool: str, arguments: dict[str, Any], word: str) -> None:
    assert word in str(refuse_read(offer(tool), arguments))


@pytest.mark.parametrize("server", ["npm", OWN_SERVER])
@pytest.mark.parametrize(
    "kind", ["secrets", "Secret", "SECRETS", "secret.v1", "secrets.v1.", "secrets\n", " secrets", "secret/db"]
)
def test_secrets_are_refused_however_they_are_written(server: str, kind: str) -> None:
    assert refuse_read(offer("kubectl_get", server), {"resourceType": kind, "output": "name"})


@pytest.mark.parametrize(
    "argument",
    ["context", "kubeconfig", "kubeConfig", "kube_context", "cluster", "server", "token", "as", "patchFile",
     "filename", "file", "path", "follow", "watch"],
)  # fmt: skip
def test_no_tool_gets_another_cluster_another_identity_or_a_file(argument: str) -> None:
    trusted = offer("search", hint=True, trusted=True)

    for tool in (offer("kubectl_get"), offer("kubectl_logs", OWN_SERVER), trusted):
        assert argument in str(refuse_read(tool, {argument: "x"}))


@pytest.mark.parametrize("argument", ["sinceSeconds", "Namespace", "name ", "flags", "dryRun"])
def test_a_listed_tool_takes_listed_arguments_only(argument: str) -> None:
    assert "isn't allowed" in str(refuse_read(offer("kubectl_get"), {argument: "x"}))


def test_what_a_model_leaves_open_counts_as_absent() -> None:
    arguments = {"resourceType": "pod", "name": "web-1", "context": "", "container": None, "follow": False}

    assert refuse_read(offer("kubectl_logs"), arguments) is None


@pytest.mark.parametrize("tool", ["kubectl_context", "configuration_view", "nodes_log"])
def test_some_tools_say_that_they_only_read_and_are_refused_even_to_a_trusted_server(tool: str) -> None:
    assert refuse_tool(offer(tool, hint=True, trusted=True))
    assert refuse_read(offer(tool, hint=True, trusted=True), {})


@pytest.mark.parametrize("tool", sorted(BUILT_IN.reads))
def test_every_listed_tool_is_shown_whatever_its_server_says_of_it(tool: str) -> None:
    assert refuse_tool(offer(tool)) is None


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_protected_namespaces_are_left_alone(namespace: str) -> None:
    assert refuse_call(call(namespace=namespace))


@pytest.mark.parametrize("kind", ["secret", "Role", "node", "namespace", "pod", "customresourcedefinition"])
def test_only_workloads_may_be_patched(kind: str) -> None:
    assert refuse_call(call(resource_type=kind))


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25-", after="nginx:1.25"),
        FieldChange(path=f"{CONTAINER}.image", before="a:1", after="reg.io:5000/a@sha256:" + "0" * 64),
        FieldChange(path=f"{CONTAINER}.resources.limits.memory", before="64Mi", after="128Mi"),
        FieldChange(path=f"{CONTAINER}.readinessProbe.httpGet.port", before=8081, after=8080),
        FieldChange(path=f"{CONTAINER}.envFrom", before=[], after=[{"configMapRef": {"name": "a"}}]),
        FieldChange(path="spec.template.spec.volumes[conf].configMap.name", before="a", after="b"),
        FieldChange(
            path='spec.template.spec.nodeSelector["kubernetes.io/os"]', before="linxu", after="linux"
        ),
        FieldChange(path="spec.template.spec.tolerations", after=[{"key": "gpu"}], added=True),
        FieldChange(path="spec.template.spec.dnsPolicy", before="Default", after="ClusterFirst"),
        FieldChange(path='metadata.annotations["mendgate.io/approval"]', after="apr-1", added=True),
    ],
)
def test_a_fix_of_the_cause_is_let_through(change: FieldChange) -> None:
    assert refuse_change(BEFORE, [change]) is None


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="nginx:latest"),
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="nginx"),
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="reg.io:5000/nginx"),
        FieldChange(path=f"{CONTAINER}.livenessProbe", before={}, removed=True),
        FieldChange(path=f"{CONTAINER}.resources.limits.memory", before="64Mi", removed=True),
        FieldChange(path=f"{CONTAINER}.resources", before={}, removed=True),
        FieldChange(path="spec.replicas", before=3, after=0),
        FieldChange(path=f"{CONTAINER}.securityContext.privileged", after=True, added=True),
        FieldChange(path="spec.template.spec.hostNetwork", after=True, added=True),
        FieldChange(path="spec.template.spec.serviceAccountName", before="a", after="admin"),
        FieldChange(path="spec.template.spec.volumes[host]", after={"hostPath": {"path": "/"}}, added=True),
        FieldChange(path="spec.template.spec.volumes[v].hostPath.path", before="/a", after="/"),
        FieldChange(path="spec.template.spec.tolerations", after=[{"operator": "Exists"}], added=True),
        FieldChange(path="spec.template.spec.priorityClassName", after="system-node-critical", added=True),
        FieldChange(path="spec.template.spec.hostAliases", after=[{"ip": "1.1.1.1"}], added=True),
        FieldChange(path="metadata.labels", after={"a": "b"}, added=True),
        FieldChange(path="spec.selector.matchLabels.app", before="a", after="b"),
        FieldChange(path='spec.template.metadata.annotations["mendgate.io/approval"]', after="x", added=True),
        FieldChange(path='spec.template.spec.nodeSelector["mendgate.io/approval"]', after="x", added=True),
    ],
)
def test_a_cure_of_the_symptom_or_an_unknown_field_is_refused(change: FieldChange) -> None:
    assert refuse_change(BEFORE, [change])


PROBE = {"httpGet": {"path": "/", "port": 80}}
LIVENESS = f"{CONTAINER}.livenessProbe"
GRACE = "terminationGracePeriodSeconds"
MEMORY = f"{CONTAINER}.resources.limits.memory"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (FieldChange(path=f"{CONTAINER}.ports[http].hostPort", after=80, added=True), "port of the node"),
        (
            FieldChange(path=f"{CONTAINER}.ports", before=[], after=[{"containerPort": 1, "hostIP": "::"}]),
            "hostIP",
        ),
        (FieldChange(path=f"{LIVENESS}.httpGet.host", after="10.0.0.1", added=True), "another host"),
        (FieldChange(path=f"{LIVENESS}.httpGet.httpHeaders", after=[{"name": "x"}], added=True), "headers"),
        (FieldChange(path=f"{LIVENESS}.exec.command", before=["a"], after=["true"]), "can fail"),
        (FieldChange(path=LIVENESS, before=PROBE, after={"tcpSocket": {"port": 80}}), "another probe"),
        (FieldChange(path=f"{LIVENESS}.failureThreshold", before=3, after=10_000), "couldn't fail"),
        (FieldChange(path=f"{LIVENESS}.{GRACE}", after=100_000, added=True), "couldn't fail"),
        (FieldChange(path=f"{LIVENESS}.successThreshold", before=1, after=10_000), "recover"),
        (FieldChange(path=f"{LIVENESS}.initialDelaySeconds", after=601, added=True), "within 600 s"),
        (FieldChange(path=f"{CONTAINER}.startupProbe", after={**PROBE, "failureThreshold": 181}, added=True),
         "within 1800 s"),
        (FieldChange(path=MEMORY, before="64Mi", after="0"), "nothing runs within"),
        (FieldChange(path=MEMORY, before="64Mi", after="3Mi"), "nothing runs within"),
        (FieldChange(path=MEMORY, before="64Mi", after="1Ei"), "16 times"),
        (FieldChange(path=MEMORY, before="1Gi", after="17Gi"), "16 times"),
        (FieldChange(path=MEMORY, after="1Pi", added=True), "a node has"),
        (FieldChange(path=MEMORY, before="64Mi", after="much"), "no quantity"),
        (FieldChange(path=f"{CONTAINER}.resources.claims", after=[{"name": "g"}], added=True), "isn't among"),
        (
            FieldChange(
                path=f"{CONTAINER}.resources", before={},
                after={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}},
            ),
            "below the request",
        ),
        (FieldChange(path=f"{CONTAINER}.resources", before={"limits": {"cpu": "1"}}, after={}), "removing"),
        (FieldChange(path="spec.replicas", before=3, after=100_000), "16 times"),
        (FieldChange(path="spec.replicas", before=3, after=51), "16 times"),
        (FieldChange(path=f"{CONTAINER}.envFrom", after=[{"secretRef": {"name": "a"}}]), "Secret a"),
        (FieldChange(path="spec.template.spec.volumes[v].secret.secretName", after="b"), "Secret b"),
        (FieldChange(path="spec.template.spec.containers", before=[{"name": "a"}], after=[]), "isn't among"),
        (FieldChange(path=f"{CONTAINER}", after={"name": "x", "image": "a:1"}, added=True), "isn't among"),
        (FieldChange(path="metadata.finalizers", after=["a.b/c"], added=True), "identity"),
    ],
)  # fmt: skip
def test_what_lies_below_an_open_field_is_judged_by_its_effect(change: FieldChange, word: str) -> None:
    assert word in str(refuse_change(BEFORE, [change]))


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path=f"{LIVENESS}.failureThreshold", before=3, after=6),
        FieldChange(path=f"{LIVENESS}.httpGet", before={"port": 1}, after={"port": 2, "path": "/"}),
        FieldChange(path=f"{CONTAINER}.startupProbe", after={**PROBE, "failureThreshold": 180}, added=True),
        FieldChange(path=MEMORY, before="64Mi", after="8Gi"),
        FieldChange(path=MEMORY, before="1Gi", after="16Gi"),
        FieldChange(path=f"{CONTAINER}.resources.requests.cpu", before="1", removed=True),
        FieldChange(path="spec.replicas", before=3, after=50),
        FieldChange(path="spec.replicas", before=2_000, after=1_500),
        FieldChange(path=f"{CONTAINER}.env[A]", before={"name": "A", "value": "1"}, removed=True),
        FieldChange(path=f"{CONTAINER}.ports[http].containerPort", before=80, after=8080),
    ],
)  # fmt: skip
def test_what_is_within_bounds_is_let_through(change: FieldChange) -> None:
    assert refuse_change(BEFORE, [change]) is None


def test_a_probe_that_was_slow_before_may_stay_as_slow_and_not_get_slower() -> None:
    slow = {"metadata": {}, "spec": {"template": {"spec": {"containers": [
        {"name": "nginx", "livenessProbe": {**PROBE, "periodSeconds": 300, "failureThreshold": 5}}
    ]}}}}  # fmt: skip

    path = FieldChange(path=f"{LIVENESS}.httpGet.path", before="/", after="/live")
    slower = FieldChange(path=f"{LIVENESS}.failureThreshold", before=5, after=6)
    assert refuse_change(slow, [path]) is None
    assert "within 1500 s" in str(refuse_change(slow, [slower]))


def test_a_secret_may_be_named_that_the_workload_names_or_that_a_healthy_revision_did() -> None:
    using = {"metadata": {}, "spec": {"template": {"spec": {
        "containers": [{"name": "nginx", "envFrom": [{"secretRef": {"name": "db"}}]}],
        "imagePullSecrets": [{"name": "regcred"}],
    }}}}  # fmt: skip

    def naming(name: str) -> FieldChange:
        source = {"secretKeyRef": {"name": name, "key": "password"}}
        return FieldChange(path=f"{CONTAINER}.env[P]", after={"name": "P", "valueFrom": source}, added=True)

    assert refuse_change(using, [naming("db")]) is None
    assert refuse_change(using, [naming("old")], secrets=SecretNames(shown=frozenset({"old"}))) is None
    assert "Secret other" in str(refuse_change(using, [naming("other")]))
    assert "Secret regcred" in str(refuse_change(using, [naming("regcred")])), "it is for the kubelet alone"
    assert refuse_change(None, [naming("other")]) is None, "only who has read the object can tell"


@pytest.mark.parametrize(
    ("data", "patch_type", "word"),
    [
        ({"metadata": {"managedFields": [{}]}}, "merge", "metadata.managedFields"),
        ({"metadata": {"ownerReferences": []}}, "strategic", "metadata.ownerReferences"),
        ([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}], "json", "managedFields"),
        ([{"op": "replace", "path": "/metadata", "value": {}}], "json", "'/metadata'"),
        ([{"op": "replace", "path": "", "value": {}}], "json", "the whole object"),
        ([{"op": "copy", "from": "/metadata/uid", "path": "/metadata/labels/x"}], "json", "metadata.uid"),
    ],
)
def test_a_patch_of_an_objects_bookkeeping_is_refused_by_its_text(
    data: Any, patch_type: str, word: str
) -> None:
    assert word in str(refuse_call(call(patch_data=data, patch_type=patch_type)))


def test_one_function_holds_a_proposal_against_its_text_and_its_effect() -> None:
    good = FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25-", after="nginx:1.25")
    bad = FieldChange(path="spec.template.spec.hostNetwork", after=True, added=True)

    assert refuse_patch(call().stamped("apr-1", {}), [good], BUILT_IN) is None
    assert "protected" in str(refuse_patch(call(namespace="kube-system"), [good], BUILT_IN))
    assert "hostNetwork" in str(refuse_patch(call(), [good, bad], BUILT_IN))


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}},
        {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/api"}},
    ],
)
def test_a_gitops_managed_object_is_not_patched(metadata: dict[str, Any]) -> None:
    assert "GitOps" in str(refuse_change({"metadata": metadata}, []))


def test_an_object_that_a_controller_owns_is_not_patched() -> None:
    owner = {"kind": "Rollout", "name": "shop", "uid": "u", "controller": True}

    assert "Rollout/shop" in str(refuse_change({"metadata": {"ownerReferences": [owner]}}, []))


@pytest.mark.parametrize(
    "arguments",
    [
        {"gvr": "v1/secrets"},
        {"kinds": "pods,secrets"},
        {"uri": "/api/v1/namespaces/a/secrets/b"},
        {"kubeconfigPath": "/etc/admin"},
        {"contextName": "production"},
        {"cluster_name": "production"},
        {"impersonate": "root"},
        {"asGroup": "system:masters"},
        {"directory": "/etc"},
    ],
)
def test_a_trusted_tool_that_is_not_listed_reaches_no_secret_and_no_other_cluster(
    arguments: dict[str, str],
) -> None:
    trusted = offer("search", hint=True, trusted=True)

    assert refuse_read(trusted, arguments)
    assert refuse_read(trusted, {"query": "why does web-secretary crash"}) is None


SERVICE = {"kind": "Service", "metadata": {"name": "web"}}
PORTS = [{"port": 80, "protocol": "TCP", "targetPort": "http"}]


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path="spec.selector.app", before="wbe", after="web"),
        FieldChange(path="spec.ports[http].targetPort", before="htpp", after="http"),
        FieldChange(path="spec.ports", before=[{**PORTS[0], "targetPort": "htpp"}], after=PORTS),
    ],
)
def test_a_service_may_be_led_to_its_pods(change: FieldChange) -> None:
    assert refuse_change_under("Service", SERVICE, [change], BUILT_IN) is None
    assert refuse_change(BEFORE, [change]), "not a workload's"


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path="spec.selector.app", before="web", removed=True),
        FieldChange(path="spec.selector", before={"app": "web"}, removed=True),
        FieldChange(path="spec.type", before="ClusterIP", after="LoadBalancer"),
        FieldChange(path="spec.externalIPs", after=["1.1.1.1"], added=True),
        FieldChange(path="spec.ports", before=PORTS, after=[*PORTS, {"port": 22, "targetPort": 22}]),
        FieldChange(path="spec.ports", before=PORTS, after=[{**PORTS[0], "nodePort": 30000}]),
        FieldChange(path="spec.ports[http].nodePort", before=30000, after=30001),
        FieldChange(path='spec.selector["mendgate.io/approval"]', after="x", added=True),
        FieldChange(path="metadata.labels.app", before="a", after="b"),
    ],
)
def test_a_service_is_not_opened_to_others(change: FieldChange) -> None:
    assert refuse_change_under("Service", SERVICE, [change], BUILT_IN)


OPENED = parse_policy("name: x\nreads_namespaces: ['shared-*']", "policy.yaml")
ALL_OPENED = parse_policy("name: x\nreads_namespaces: ['*']", "policy.yaml")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("kubectl_logs", {"resourceType": "pod", "name": "web-1", "namespace": "shop"}),
        ("kubectl_get", {"resourceType": "nodes"}),
        ("kubectl_describe", {"resourceType": "node", "name": "worker-1"}),
        ("resources_get", {"apiVersion": "v1", "kind": "Node", "name": "worker-1"}),
        ("pods_get", {"namespace": "shared-db", "name": "db-0"}),
        ("explain_resource", {"resource": "pods"}),
        ("namespaces_list", {}),
        ("search_runbooks", {"query": "payments"}),
    ],
)
def test_a_model_reads_its_incidents_namespaces_the_cluster_and_what_is_opened(
    tool: str, arguments: dict[str, Any]
) -> None:
    assert refuse_reach(offer(tool), arguments, OPENED, {"shop"}) is None


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("kubectl_logs", {"resourceType": "pod", "name": "web-1", "namespace": "payments"}),
        ("kubectl_get", {"resourceType": "pods", "allNamespaces": True}),
        ("kubectl_get", {"resourceType": "pods", "namespace": "shop", "allNamespaces": True}),
        ("kubectl_get", {"resourceType": "pods"}),
        ("kubectl_get", {"resourceType": "certificates.v1.cert-manager.io"}),
        ("pods_list", {}),
        ("pods_top", {"all_namespaces": True}),
        ("events_list", {}),
        ("resources_list", {"apiVersion": "v1", "kind": "Pod"}),
        ("resources_list", {"apiVersion": "tenant.example.com/v1", "kind": "Node"}),
        ("kubectl_get", {"resourceType": "pods", "namespace": "*"}),
        ("kubectl_get", {"resourceType": "pods", "namespace": "shop "}),
        ("search_logs", {"query": "x", "k8s_namespace": "payments"}),
    ],
)
def test_a_model_reads_no_other_namespace_unless_the_policy_opens_it(
    tool: str, arguments: dict[str, Any]
) -> None:
    assert "a model may not read" in str(refuse_reach(offer(tool), arguments, OPENED, {"shop"}))
    assert refuse_reach(offer(tool), arguments, ALL_OPENED, {"shop"}) is None


def test_our_own_server_reads_namespace_default_where_none_is_named() -> None:
    pods = {"resourceType": "pods"}

    assert refuse_reach(offer("kubectl_get", OWN_SERVER), pods, BUILT_IN, {"default"}) is None
    assert "'default'" in str(refuse_reach(offer("kubectl_get", OWN_SERVER), pods, BUILT_IN, {"shop"}))

"""The policy's file: read as it stands, refused by its lines, above a floor that it can't open."""

import re
from pathlib import Path

import pytest

from graph.policy import BUILT_IN, PolicyUnusable, parse_policy, refuse_call, refuse_change, spell_policy
from graph.policy.fields.leaves import OPENABLE_FIELDS
from graph.policy.hard_limits import refuse_listing
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import PatchArguments

DOCUMENT = Path(__file__).parents[4] / "docs" / "policy.md"
CONTAINER = "spec.template.spec.containers[nginx]"


IMAGES = (
    "kinds: [Deployment], fields: ['spec.template.spec.containers[*].image'], "
    "groundings: [last_good_revision]"
)


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyUnusable) as caught:
        parse_policy(text, "policy.yaml")
    return caught.value.faults


def call(namespace: str = "shop", kind: str = "deployment") -> PatchArguments:
    return PatchArguments(resource_type=kind, name="web", namespace=namespace, patch_data={"spec": {}})


def test_the_built_in_policy_reads_back_as_it_is_shown() -> None:
    again = parse_policy(spell_policy(BUILT_IN), "shown.yaml")

    assert again == BUILT_IN
    assert again.version == BUILT_IN.version


def test_the_documented_policy_is_one_and_reads_back_as_it_is_shown() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)

    policy = parse_policy(text, "docs/policy.md")

    assert policy.terms[0].approvers == ("alice", "bob", "role:admin")
    assert parse_policy(spell_policy(policy), "shown.yaml") == policy


def test_what_a_file_does_not_say_is_as_built_in() -> None:
    policy = parse_policy("name: mine", "policy.yaml")

    assert policy.model_copy(update={"name": "built-in"}) == BUILT_IN
    assert policy.auto_approve == ()


@pytest.mark.parametrize(
    "change", ["writes_per_hour: 61", "protected_namespaces: [shop]", "freezes: []\nreads: {}", "name: other"]
)
def test_any_change_gives_another_version(change: str) -> None:
    text = change if change.startswith("name") else f"name: built-in\n{change}"

    assert parse_policy(text, "policy.yaml").version != BUILT_IN.version


def test_all_mistakes_are_told_at_once_each_by_its_line() -> None:
    found = faults(
        "name: mine\n"
        "colour: red\n"
        "terms:\n"
        "  - name: usual\n"
        "    quorum: many\n"
        "    aprovers: [alice]\n"
        "writes_per_hour: 5\n"
        "writes_per_hour: 0\n"
        "verification: {window: 4 hours}\n"
    )

    assert [fault.split(":")[1] for fault in found] == ["2", "5", "6", "8", "8", "9"]
    assert "allowed are name, reads, patch" in found[0]
    assert "terms[0].aprovers: isn't known here: allowed are name, when, quorum, approvers" in found[2]
    assert "stands here twice" in "".join(found[3:5])
    assert "90s, 10m, 4h" in found[5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "policy.yaml:1: a policy is a mapping"),
        ("- name: x", "policy.yaml:1: a policy is a mapping"),
        ("writes_per_hour: 5", "policy.yaml:1: name: is missing"),
        ("name: x\nrisk: [", "policy.yaml:2: "),
        ("name: x\nrisk: {}", "policy.yaml:2: risk: must be a list"),
        ("name: a b", "policy.yaml:1: name: "),
        ("name: x\nreads: &r {kubectl_get: []}\npatch: *r", "policy.yaml:2: aliases aren't read"),
        ("name: x\nterms: []", "policy.yaml:2: terms: "),
        ("name: x\nterms: [{name: a, when: {risks: [high]}}]", "the last rule must have no `when`"),
        ("name: x\nterms: [{name: a}, {name: b}]", "a hides others"),
        ("name: x\nterms: [{name: a, when: {}}, {name: b}]", "name a condition (kinds, namespaces"),
        ("name: x\nterms: [{name: a, quorum: 2, approvers: [alice]}]", "can't be reached by 1 approvers"),
        ("name: x\nterms: [{name: a, approvers: []}]", "terms[0].approvers: "),
        ("name: x\nterms: [{name: a, approvers: ['role:viewer']}]", "role:approver and role:admin"),
        ("name: x\nterms: [{name: a, decide_within: 0s}]", "above zero"),
        ("name: x\nrisk: [{name: a, when: {risks: [low]}, at_least: high}]", "isn't known here"),
        ("name: x\nrisk: [{name: a, when: {kinds: [Deployment]}, at_least: low}]", "'medium' or 'high'"),
        ("name: x\nfreezes: [{name: a, start: 18:00, end: 06:00}]", "write times of day"),
        ("name: x\nfreezes: [{name: a, start: 2026-12-24, end: 2026-12-20}]", "must end after it starts"),
        ("name: x\nfreezes: [{name: a, start: 2026-12-24, end: 18:00}]", "write times of day"),
        ("name: x\nfreezes: [{name: a, start: 2026-12-24T00:00Z, end: 2027-01-01}]", "write times of day"),
        (
            "name: x\nfreezes: [{name: a, weekdays: [mon], start: 18:00, end: 19:00, time_zone: Berlin}]",
            "no time zone",
        ),
        (f"name: x\nauto_approve: [{{name: a, when: {{{IMAGES}}}}}]", "[0].per_hour: is missing"),
        (f"name: x\nauto_approve: [{{name: a, when: {{{IMAGES}}}, per_hour: 1}}]", "[0].actions: is missing"),
        (
            f"name: x\nauto_approve: [{{name: a, actions: [delete], when: {{{IMAGES}}}, per_hour: 1}}]",
            "actions[0]: Input should be 'patch'",
        ),
        ("name: x\nauto_approve: [{name: a, per_hour: 1}]", "auto_approve[0].when: is missing"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(text: str, told: str) -> None:
    assert told in "\n".join(faults(text))


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("namespaces: [test]", "names its kinds and its fields and its groundings"),
        (
            IMAGES.partition(", groundings")[0],
            "names its groundings; groundings are last_good_revision, sibling",
        ),
        ("kinds: [Deployment], groundings: [sibling]", "names its fields"),
        (f"{IMAGES.replace('last_good_revision', 'evidence')}", "grounded in evidence is never approved"),
        (f"{IMAGES.replace('last_good_revision', 'sibling, guess, person')}", "in guess or person is never"),
        (f"{IMAGES}, risks: [low, high]", "high risk is never approved automatically"),
    ],
)
def test_a_rule_that_approves_automatically_names_what_and_why_by_its_line(when: str, told: str) -> None:
    (fault,) = faults(
        f"name: x\nauto_approve:\n  - name: a\n    per_hour: 1\n    actions: [patch]\n    when: {{{when}}}"
    )

    assert fault.startswith("policy.yaml:6: auto_approve[0].when: ")
    assert told in fault


@pytest.mark.parametrize(
    "kind",
    ["Secret", "ClusterRole", "RoleBinding", "ValidatingWebhookConfiguration", "CustomResourceDefinition",
     "Namespace", "Node", "PersistentVolumeClaim", "Ingress", "ConfigMap", "CronJob"],
)  # fmt: skip
def test_no_file_opens_a_kind_whose_fix_cannot_be_verified(kind: str) -> None:
    (*_, last) = faults(f"name: x\npatch:\n  {kind}: [spec.replicas]")

    assert last.startswith(f"policy.yaml:3: patch.{kind}: Input should be 'Deployment'")


@pytest.mark.parametrize(
    "field",
    ["spec", "spec.template", "spec.template.spec", "spec.template.spec.containers[*]", "metadata.labels",
     "spec.template.spec.containers[*].securityContext", "spec.template.spec.hostNetwork", "spec.selector",
     "spec.template.spec.serviceAccountName", "spec.template.spec.volumes", "spec.volumeClaimTemplates",
     "spec.template.spec.containers[*].ports.hostPort", "spec.template.spec.containers[*].livenessProbe.exec",
     "spec.template.spec.containers[*].livenessProbe.httpGet.host", "spec.template.spec.volumes[*].hostPath",
     "spec.template.spec.containers[*].resources.claims"],
)  # fmt: skip
def test_no_file_opens_a_field_that_gives_other_rights_or_other_data(field: str) -> None:
    assert f"no policy can open '{field}'" in faults(f"name: x\npatch: {{Deployment: ['{field}']}}")[0]


@pytest.mark.parametrize(
    "tool",
    ["kubectl_delete", "kubectl_patch", "resources_create_or_update", "pods_exec", "helm_uninstall",
     "deletePod", "scaleDeployment", "kubectl_generic", "port_forward", "kubectl_context", "nodes_log"],
)  # fmt: skip
def test_no_file_lists_a_tool_that_changes_something_among_those_that_read(tool: str) -> None:
    assert f"policy.yaml:2: reads.{tool}: {tool} " in faults(f"name: x\nreads: {{{tool}: [name]}}")[0]


@pytest.mark.parametrize("argument", ["context", "kubeconfig", "patchFile", "as", "follow"])
def test_no_file_lets_an_argument_lead_elsewhere(argument: str) -> None:
    assert "never allowed" in faults(f"name: x\nreads: {{kubectl_get: [{argument}]}}")[0]


def test_tools_that_read_by_their_names_can_be_listed() -> None:
    names = (*BUILT_IN.reads, "get_settings", "prometheus_query", "search_updates", "list_runs")

    assert [refuse_listing(name) for name in names] == [None] * len(names)


def test_no_file_opens_kube_system() -> None:
    policy = parse_policy("name: x\nprotected_namespaces: [crown, 'jewels-*']", "policy.yaml")

    closed = [call("kube-system"), call("kube-public"), call("crown"), call("jewels-2")]
    assert all(refuse_call(one, policy) for one in closed)
    assert refuse_call(call("shop"), policy) is None


@pytest.mark.parametrize(
    "namespace",
    ["openshift-monitoring", "openshift", "cert-manager", "argocd", "flux-system", "istio-system", "linkerd",
     "cilium", "calico-system", "tigera-operator", "metallb-system", "rook-ceph", "longhorn-system",
     "gatekeeper-system", "kyverno", "cattle-fleet-system", "olm", "operators"],
)  # fmt: skip
def test_the_platforms_namespaces_are_protected_until_a_file_opens_them_by_name(namespace: str) -> None:
    narrowing = parse_policy("name: x\nprotected_namespaces: [crown]", "policy.yaml")
    opening = parse_policy(f"name: x\nopen_namespaces: [{namespace}]", "policy.yaml")

    assert "open_namespaces opens it" in str(refuse_call(call(namespace), BUILT_IN))
    assert refuse_call(call(namespace), narrowing), "naming others opens none"
    assert refuse_call(call(namespace), opening) is None
    assert refuse_call(call("argocd" if namespace != "argocd" else "olm"), opening)


@pytest.mark.parametrize("pattern", ["kube-system", "kube-*", "*", "kube-publi?"])
def test_opening_the_platforms_namespaces_never_opens_kube_system(pattern: str) -> None:
    (fault,) = faults(f"name: x\nopen_namespaces:\n  - '{pattern}'")

    assert fault.startswith("policy.yaml:3: open_namespaces[0]: ")
    assert "no policy can open kube-" in fault


def test_a_kind_that_a_file_leaves_out_is_closed() -> None:
    policy = parse_policy("name: x\npatch: {StatefulSet: [spec.replicas], DaemonSet: []}", "policy.yaml")

    assert "only StatefulSet" in str(refuse_call(call(), policy))
    assert refuse_call(call(kind="daemonset"), policy)
    assert refuse_call(call(kind="sts"), policy) is None


def test_what_the_server_counts_on_a_daemonset_is_no_change_of_ours_and_on_others_it_is() -> None:
    count = 'metadata.annotations["deprecated.daemonset.template.generation"]'
    changes = [
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25-", after="nginx:1.25"),
        FieldChange(path=count, before="1", after="2"),
    ]

    assert refuse_change("DaemonSet", {}, changes, BUILT_IN) is None
    assert refuse_change("Deployment", {}, changes, BUILT_IN)


def test_a_file_narrows_and_opens_fields() -> None:
    limits = "spec.template.spec.containers[*].resources.limits"
    policy = parse_policy(f"name: x\npatch: {{Deployment: ['{limits}', spec.strategy]}}", "policy.yaml")

    memory = FieldChange(path=f"{CONTAINER}.resources.limits.memory", before="1Gi", after="2Gi")
    requests = FieldChange(path=f"{CONTAINER}.resources.requests.memory", before="1Gi", after="2Gi")
    strategy = FieldChange(path="spec.strategy.type", before="Recreate", after="RollingUpdate")
    assert refuse_change("Deployment", {}, [memory, strategy], policy) is None
    assert refuse_change("Deployment", {}, [requests], policy)
    assert refuse_change("StatefulSet", {}, [memory], policy)
    assert refuse_change("Deployment", {}, [strategy], BUILT_IN)


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path="spec.replicas", before=2, after=0),
        FieldChange(path=f"{CONTAINER}.livenessProbe", before={}, removed=True),
        FieldChange(path=f"{CONTAINER}.resources.limits", before={}, removed=True),
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="nginx:latest"),
    ],
)
def test_no_file_allows_a_cure_of_the_symptom(change: FieldChange) -> None:
    fields = ", ".join(f"'{one}'" for one in OPENABLE_FIELDS)
    widest = parse_policy(f"name: x\npatch: {{Deployment: [{fields}]}}", "policy.yaml")

    assert refuse_change("Deployment", {}, [change], widest)


def test_yaml_does_not_turn_what_is_written_into_something_else() -> None:
    policy = parse_policy(
        "name: x\nprotected_namespaces: [no, 1e3, null-island]\n"
        "freezes: [{name: a, weekdays: [mon], start: 18:00, end: 19:30}]",
        "policy.yaml",
    )

    assert policy.protected_namespaces == ("no", "1e3", "null-island")
    assert policy.freezes[0].start == "18:00"

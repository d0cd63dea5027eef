"""The rules of a policy: which risk, whose decision, and when the policy itself decides."""

import pytest

from graph.domain.diagnosis import Origin
from graph.domain.proposal import Proposal, Risk
from graph.policy import BUILT_IN, Change, Policy, assess_risk, find_auto_approval, find_terms, parse_policy
from graph.policy.explanation import explain_patch, explain_read
from tests.unit.graph.domain.proposals import make_proposal
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import PatchArguments

IMAGE = "spec.template.spec.containers[nginx].image"
POINTER = "/spec/template/spec/containers/0"
SHOP = parse_policy(
    """
name: shop
risk:
  - {name: production, when: {namespaces: ["prod-*"]}, at_least: medium}
  - {name: scaling, when: {fields: [spec.replicas]}, at_least: high}
terms:
  - name: two
    when: {namespaces: ["prod-*"], risks: [high]}
    quorum: 2
    approvers: [alice, "role:admin"]
    own_approval: false
  - {name: usual, decide_within: 90s}
auto_approve:
  - name: image
    actions: [patch]
    when:
      kinds: [Deployment]
      namespaces: [default]
      risks: [low]
      fields: ["spec.template.spec.containers[*].image"]
      groundings: [last_good_revision]
    per_hour: 2
""",
    "shop.yaml",
)


def change(
    namespace: str = "default", *fields: str, risk: Risk = "low", grounding: str = "evidence"
) -> Change:
    proposal = make_proposal(grounding=grounding, risk=risk)
    of = Change.of(proposal)
    return Change(of.kind, namespace, fields or of.fields, of.grounding, of.purpose, of.risk)


def proposed(policy: Policy = SHOP, **changes: object) -> Proposal:
    return make_proposal(policy_version=policy.version, **changes)


@pytest.mark.parametrize(
    ("found", "risk"),
    [
        (change(), "low"),
        (change("prod-eu"), "medium"),
        (change("prod-eu", risk="high"), "high"),
        (change("default", IMAGE, "spec.replicas"), "high"),
        (change(grounding="guess"), "high"),
    ],
)
def test_rules_raise_the_risk_and_never_lower_it(found: Change, risk: Risk) -> None:
    assert assess_risk(found, SHOP) == risk


def test_a_guess_is_high_under_every_policy() -> None:
    assert assess_risk(change(grounding="guess"), BUILT_IN) == "high"


def test_the_first_rule_that_fits_gives_the_terms() -> None:
    assert find_terms(change("prod-eu", risk="high"), SHOP).terms.quorum == 2
    assert find_terms(change("prod-eu", risk="medium"), SHOP).name == "usual"
    assert find_terms(change("default", risk="high"), SHOP).terms.decide_within.total_seconds() == 90


def test_a_rule_approves_what_it_names() -> None:
    rule = find_auto_approval(proposed(), SHOP)

    assert rule is not None
    assert rule.name == "image"


WIDEST = parse_policy(
    """
name: widest
auto_approve:
  - name: all
    actions: [patch]
    when:
      kinds: [Deployment, StatefulSet, DaemonSet, Service]
      fields: ["spec.template.spec.containers[*].image", spec.replicas]
      groundings: [last_good_revision, sibling, same_object]
    per_hour: 9
""",
    "policy.yaml",
)


@pytest.mark.parametrize("grounding", ["guess", "person", "evidence", "estimate"])
def test_only_values_of_the_clusters_own_specifications_are_approved_automatically(grounding: str) -> None:
    assert find_auto_approval(proposed(WIDEST), WIDEST)
    assert find_auto_approval(proposed(WIDEST, grounding=grounding), WIDEST) is None


@pytest.mark.parametrize("origin", ["event", "log", "text", "alert", "before", "server", "none"])
def test_one_value_from_anywhere_else_leaves_the_decision_to_a_person(origin: Origin) -> None:
    (good,) = make_proposal().traces
    other = good.model_copy(update={"origin": origin})

    assert find_auto_approval(proposed(WIDEST, traces=(good, good)), WIDEST)
    assert find_auto_approval(proposed(WIDEST, traces=(good, other)), WIDEST) is None
    assert find_auto_approval(proposed(WIDEST, traces=()), WIDEST) is None


def test_a_high_risk_is_never_approved_automatically() -> None:
    assert find_auto_approval(proposed(WIDEST, risk="medium"), WIDEST)
    assert find_auto_approval(proposed(WIDEST, risk="high"), WIDEST) is None


def test_an_explanation_says_what_an_automatic_approval_and_a_secret_depend_on() -> None:
    secret = {"name": "nginx", "envFrom": [{"secretRef": {"name": "db"}}]}
    naming = patch({"spec": {"template": {"spec": {"containers": [secret]}}}})
    log = make_proposal().traces[0].model_copy(update={"origin": "log"})

    image = explain_patch(patch(IMAGE_PATCH), WIDEST, grounding="last_good_revision", risk="low").ruling
    told = explain_patch(
        patch(IMAGE_PATCH), WIDEST, grounding="last_good_revision", risk="low", traces=(log,)
    ).ruling
    named = explain_patch(naming, WIDEST, grounding="evidence", risk="low").ruling

    assert image is not None
    assert image.auto_approved_by == "all"
    assert "specifications in the cluster hold each new value" in image.provided[0]
    assert told is not None
    assert told.auto_approved_by is None
    assert not any("specifications" in one for one in told.provided)
    assert named is not None
    assert named.provided == ("the workload, or a revision of it that ran, names Secret db",)


def test_a_secrets_name_that_is_no_text_is_explained_as_one_that_nothing_names() -> None:
    source = {"secretRef": {"name": ["db"]}}
    naming = patch({"spec": {"template": {"spec": {"containers": [{"name": "nginx", "envFrom": [source]}]}}}})

    ruling = explain_patch(naming, WIDEST, grounding="evidence", risk="low").ruling

    assert ruling is not None
    assert "names Secret ['db']" in ruling.provided[0]


def test_one_field_too_many_keeps_a_rule_from_approving() -> None:
    diff = (
        FieldChange(path=IMAGE, before="nginx:1.25-", after="nginx:1.25"),
        FieldChange(path="spec.replicas", before=1, after=2),
    )

    assert find_auto_approval(proposed(diff=diff), SHOP) is None


def test_a_rule_approves_nothing_that_was_proposed_under_another_policy() -> None:
    assert find_auto_approval(proposed(BUILT_IN), SHOP) is None
    assert find_auto_approval(proposed(BUILT_IN), BUILT_IN) is None


def test_a_rule_approves_no_higher_risk_than_it_names() -> None:
    assert find_auto_approval(proposed(risk="medium"), SHOP) is None


def patch(data: object, namespace: str = "default", patch_type: str = "strategic") -> PatchArguments:
    return PatchArguments.model_validate(
        {"resourceType": "deploy", "name": "web", "namespace": namespace, "patchType": patch_type,
         "patchData": data}
    )  # fmt: skip


IMAGE_PATCH = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}}


def test_a_patch_is_explained_by_the_rules_that_decide_it() -> None:
    found = explain_patch(patch({"spec": {"replicas": 3}}, "prod-eu"), SHOP, grounding="evidence", risk="low")

    assert found.effect == "changes"
    assert found.ruling is not None
    assert (found.ruling.risk, found.ruling.raised_by) == ("high", ("production", "scaling"))
    assert (found.ruling.terms, found.ruling.quorum) == ("two", 2)
    assert found.ruling.auto_approved_by is None


@pytest.mark.parametrize(
    "call",
    [
        patch(IMAGE_PATCH),
        patch(
            [{"op": "replace", "path": f"{POINTER}/image", "value": "nginx:1.25"}],
            patch_type="json",
        ),
    ],
)
def test_every_form_of_a_patch_is_explained_alike(call: PatchArguments) -> None:
    explained = explain_patch(call.stamped("apr-1", {}), SHOP, grounding="last_good_revision", risk="low")
    ruling = explained.ruling

    assert ruling is not None
    assert ruling.auto_approved_by == "image"


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (patch({"spec": {"replicas": 0}}), "symptom"),
        (patch({"spec": {"template": {"spec": {"hostNetwork": True}}}}), "hostNetwork"),
        (patch({"spec": {"template": {"spec": {"$setElementOrder/containers": []}}}}), "isn't among"),
        (patch(IMAGE_PATCH, "kube-system"), "protected"),
        (patch([{"op": "remove", "path": f"{POINTER}/livenessProbe"}], patch_type="json"), "symptom"),
        (patch({}), "nothing"),
    ],
)  # fmt: skip
def test_a_refused_patch_is_explained_by_its_refusal(call: PatchArguments, word: str) -> None:
    found = explain_patch(call, SHOP, grounding="evidence", risk="low")

    assert found.effect == "refused"
    assert word in found.reason


def test_reads_are_explained_as_the_diagnosis_is_held_to_them() -> None:
    assert explain_read("kubectl_get", {"resourceType": "pods"}, SHOP).effect == "reads"
    assert explain_read("kubectl_get", {"resourceType": "secrets"}, SHOP).effect == "refused"
    assert explain_read("kubectl_delete", {"resourceType": "pods"}, SHOP).effect == "refused"


@pytest.mark.parametrize(
    ("arguments", "by_model"),
    [
        ({"resourceType": "nodes"}, "in every incident"),
        ({"resourceType": "pods", "namespace": "shop"}, "in incidents about namespace shop;"),
        ({"resourceType": "pods", "allNamespaces": True}, "a model may not read all namespaces at once"),
    ],
)
def test_a_read_is_explained_by_how_far_a_model_may_make_it(
    arguments: dict[str, object], by_model: str
) -> None:
    assert explain_read("kubectl_get", arguments, SHOP).by_model.startswith(by_model)


def test_what_a_change_does_sets_the_risk_that_is_explained() -> None:
    container = {"name": "nginx", "command": ["sh", "-c", "true"]}
    call = patch({"spec": {"template": {"spec": {"containers": [container]}}}})

    ruling = explain_patch(call, SHOP, grounding="last_good_revision", risk="low").ruling

    assert ruling is not None
    assert ruling.risk == "high"
    assert [one.partition(":")[0] for one in ruling.dangers] == ["runs another command"]
    assert ruling.auto_approved_by is None


def test_without_a_dry_run_nobody_knows_what_an_image_takes_the_place_of() -> None:
    path = "spec.template.spec.containers[nginx].image"
    diffs = [
        [FieldChange(path=path, before="nginx:1.25-", after=after)]
        for after in ("nginx:1.25", "registry.example/nginx:1.25")
    ]
    rulings = [
        explain_patch(
            patch(IMAGE_PATCH), WIDEST, grounding="last_good_revision", risk="low", diff=diff
        ).ruling
        for diff in (None, *diffs)
    ]

    told, same, elsewhere = (ruling for ruling in rulings if ruling)
    assert (told.risk, same.risk, elsewhere.risk) == ("low", "low", "high")
    assert "another registry" in told.provided[-1]
    assert not any("another registry" in one for one in same.provided)

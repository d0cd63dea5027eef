"""Resource types: every spelling that kubectl takes, and no way to another path."""

import pytest

from tools.errors import BadInput, UnknownKind
from tools.kubernetes.resource_types import KINDS, find_kind


@pytest.mark.parametrize(
    ("spelling", "path"),
    [
        ("deploy", "/apis/apps/v1/namespaces/shop/deployments/x"),
        ("Deployments", "/apis/apps/v1/namespaces/shop/deployments/x"),
        ("deployment.apps", "/apis/apps/v1/namespaces/shop/deployments/x"),
        ("deployments.v1.apps", "/apis/apps/v1/namespaces/shop/deployments/x"),
        ("po", "/api/v1/namespaces/shop/pods/x"),
        (" PODS ", "/api/v1/namespaces/shop/pods/x"),
        ("pods.v1", "/api/v1/namespaces/shop/pods/x"),
        ("no", "/api/v1/nodes/x"),
        ("pv", "/api/v1/persistentvolumes/x"),
        ("hpa", "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/x"),
        ("pdb", "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/x"),
        ("cj", "/apis/batch/v1/namespaces/shop/cronjobs/x"),
        ("ing.networking.k8s.io", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/x"),
        ("endpointslice", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/x"),
        ("certificates.v1.cert-manager.io", "/apis/cert-manager.io/v1/namespaces/shop/certificates/x"),
    ],
)
def test_a_resource_type_leads_to_its_path(spelling: str, path: str) -> None:
    kind = find_kind(spelling)

    assert kind.path("shop", "x") == path


@pytest.mark.parametrize(
    "spelling", ["", "frobs", "deployment/status", "certificates.cert-manager.io", "../pods"]
)
def test_what_is_not_a_known_type_is_refused_with_a_hint(spelling: str) -> None:
    with pytest.raises(UnknownKind, match=r"<plural>\.<version>\.<group>"):
        find_kind(spelling)


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets/x", "x/log", "x%2Flog"])
def test_a_name_can_not_lead_to_another_path(name: str) -> None:
    with pytest.raises(BadInput, match="isn't a Kubernetes name"):
        find_kind("pod").path("default", name)


def test_a_query_in_a_name_stays_a_name() -> None:
    assert find_kind("pod").path("default", "x?a=b#c").endswith("/pods/x%3Fa%3Db%23c")


def test_no_namespace_means_all_of_them() -> None:
    assert find_kind("pod").path(None) == "/api/v1/pods"


def test_every_kind_is_found_by_each_of_its_names_alone() -> None:
    for kind in KINDS:
        for spelling in (kind.kind, kind.plural, kind.singular, *kind.names):
            assert find_kind(spelling) == kind

"""Why an image can't be pulled, in the words of several runtimes, and the step it leads to."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, Step
from tests.unit.graph.runbooks.runbook_cases import MadeUpCluster, Object, decide, event, named, waiting

IMAGE = "ghcr.io/acme/app:2.4.1"
OLDER = "ghcr.io/acme/app:2.4.0"
CONTAINERD = f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": '
RESOLVE = f'{CONTAINERD}failed to resolve reference "{IMAGE}": '
HEAD = f'{RESOLVE}failed to do request: Head "https://ghcr.io/v2/acme/app/manifests/2.4.1": '
DOCKER = "rpc error: code = Unknown desc = Error response from daemon: "
CRIO = "rpc error: code = Unknown desc = "
LONG_PATH = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1187/fs/usr/lib"

NO_PLATFORM = [
    f"{CONTAINERD}no match for platform in manifest: not found",
    f"{DOCKER}no matching manifest for linux/arm64/v8 in the manifest list entries",
    (
        f'{CRIO}choosing image instance: no image found in manifest list for architecture "arm64",'
        ' variant "v8", OS "linux"'
    ),
]
LIMITED = [
    (
        f"{CONTAINERD}failed to copy: httpReadSeeker: failed open: unexpected status code"
        " https://ghcr.io/v2/acme/app/blobs/sha256:af: 429 Too Many Requests - Server message: toomany"
        "requests:"
        " You have reached your unauthenticated pull rate limit."
    ),
    f"{DOCKER}toomanyrequests: Rate exceeded",
    f"{CRIO}reading manifest 2.4.1 in ghcr.io/acme/app: received unexpected HTTP status: 429",
    f"{CRIO}pinging container registry ghcr.io: server asks to come back later, Retry-After: 3600",
]
NO_SPACE = [
    (
        f"{CONTAINERD}failed to extract layer sha256:5f70bf: write {LONG_PATH}/libicudata.so.67.1: no space"
        " left on device: unknown"
    ),
    (
        f"{DOCKER}failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x: no"
        " space left on device"
    ),
    (
        f'{CRIO}writing blob: storing blob to file "/var/tmp/storage429/1": happened during read: write'
        " /var/tmp/storage429/1: no space left on device"
    ),
]
OTHERS = {
    "the registry answers with an error": f"{HEAD}503 Service Unavailable, Retry-After: 30",
    "the name of the registry isn't found": f"{HEAD}dial tcp: lookup ghcr.io on 10.0.0.2:53: read udp"
    " 10.0.0.5:41534->10.0.0.2:53: i/o timeout",
    "can't be reached": f"{HEAD}dial tcp 140.82.121.34:443: i/o timeout",
    "the registry can't be reached": f"{HEAD}net/http: TLS handshake timeout",
    "no trusted connection": f"{HEAD}tls: failed to verify certificate: x509: certificate signed by unknown"
    " authority",
    "(TLS)": f"{CRIO}pinging container registry: http: server gave HTTP response to HTTPS client",
    "isn't what its manifest promises": f"{CONTAINERD}failed to commit: unexpected commit digest"
    " sha256:aa, expected sha256:bb: failed precondition",
    "or a part of it is missing": f"{CONTAINERD}failed to copy: httpReadSeeker: failed open: could not fetch"
    " content descriptor sha256:aa (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found",
    "what arrived isn't": f"{CONTAINERD}failed to copy: unexpected EOF",
    "the format of its manifest": f'{CONTAINERD}media type "application/vnd.docker.distribution.manifest.v1'
    '+prettyjws" is no longer supported since containerd v2.1, please rebuild the image',
    "the signature that the nodes' policy asks for": f"{CRIO}copying system image: Source image rejected: A"
    " signature was required, but no signature exists",
    "holds its pulls back": "pull QPS exceeded",
    "refuses access": f'{DOCKER}denied: Permission "artifactregistry.repositories.downloadArtifacts" denied'
    ' on resource "projects/acme" (or it may not exist)',
    "the registry refuses access": f"{RESOLVE}failed to authorize: failed to fetch anonymous token:"
    " unexpected status from GET request to https://ghcr.io/token?scope=x: 401 Unauthorized",
    "has no such repository": f"{CRIO}reading manifest: name unknown: repository acme/app not found",
    "for the reason that its message gives": f"{CONTAINERD}failed to prepare snapshot: parent is gone",
}
MISSING = [
    f"rpc error: code = NotFound desc = failed to pull: {IMAGE}: not found",
    f"{CRIO}reading manifest 2.4.1 in ghcr.io/acme/app: manifest unknown",
    f"{DOCKER}manifest for {IMAGE} not found: manifest unknown",
    (
        f"{RESOLVE}unexpected status from HEAD request to https://ghcr.io/v2/acme/app/manifests/2.4.1: 404"
        " Not Found"
    ),
]


@dataclass
class Scene:
    """A Deployment of which the newest revision can't get its image, and whose last one ran."""

    message: str
    node: str = "worker-7"
    architecture: str = "arm64"
    changes: dict[str, Any] = field(default_factory=dict)
    new_kubelet: bool = False

    async def decide(self) -> Step:
        back_off = f'Back-off pulling image "{IMAGE}"'
        said = f"{back_off}: ErrImagePull: {self.message}" if self.new_kubelet else back_off
        fields: dict[str, Any] = {
            "containers": [{"name": "app", "image": IMAGE}],
            "statuses": [waiting("app", "ImagePullBackOff", said)],
            "warnings": [] if self.new_kubelet else [f'Failed to pull image "{IMAGE}": {self.message}'],
            "older": [[{"name": "app", "image": OLDER}]],
            "ready_older": 1,
            "spec": {"nodeName": self.node},
            "lists": {"nodes": [node(self.node, self.architecture), node("worker-8", "amd64")]},
        }
        return await decide(MadeUpCluster(**(fields | self.changes)))


def node(name: str, architecture: str, *pressures: str) -> Object:
    conditions = [{"type": "Ready", "status": "True"}]
    conditions += [{"type": pressure, "status": "True"} for pressure in pressures]
    info = {"operatingSystem": "linux", "architecture": architecture}
    return named(name, status={"conditions": conditions, "nodeInfo": info})


def told(step: Step) -> str:
    """Return what a person is told, once it is sure that nothing is proposed."""
    assert isinstance(step, HandOver), step
    assert step.diagnosis is not None
    return "\n".join([step.reason, step.diagnosis.cause, *step.advice])


@pytest.mark.parametrize("message", NO_PLATFORM)
async def test_an_image_without_a_build_for_the_nodes_platform_is_to_be_built_for_it(message: str) -> None:
    said = told(await Scene(message).decide())

    assert "no build for the platform of node worker-7 (linux/arm64)" in said
    assert f"docker buildx imagetools inspect {IMAGE}" in said
    assert "docker buildx build --platform" in said
    assert "another image wouldn't help" in said
    assert f"used {OLDER}" in said
    assert "kubectl rollout undo deployment/shop -n default --to-revision=1" in said
    assert message[-40:] in said


async def test_where_nodes_cannot_be_read_the_platform_is_that_of_the_message() -> None:
    said = told(await Scene(NO_PLATFORM[1], changes={"lists": {}}).decide())

    assert "for linux/arm64/v8" in said


@pytest.mark.parametrize("message", LIMITED)
@pytest.mark.parametrize("new_kubelet", [True, False])
async def test_a_rate_limit_is_waited_out_or_met_with_an_account(message: str, new_kubelet: bool) -> None:
    said = told(await Scene(message, new_kubelet=new_kubelet).decide())

    assert "too many pulls were made (a rate limit)" in said
    assert f"Leave {IMAGE} as it is" in said
    assert "kubectl create secret docker-registry pull-account -n default --docker-server=ghcr.io" in said


async def test_an_account_that_is_named_already_is_not_asked_for_again() -> None:
    spec = {"nodeName": "worker-7", "imagePullSecrets": [{"name": "regcred"}]}

    said = told(await Scene(LIMITED[0], changes={"spec": spec}).decide())

    assert "the imagePullSecrets regcred" in said
    assert "kubectl create secret" not in said


@pytest.mark.parametrize("message", NO_SPACE)
async def test_a_full_node_is_named_with_how_to_free_room_on_it(message: str) -> None:
    said = told(await Scene(message).decide())

    assert "node worker-7 had no space left" in said
    assert "kubectl describe node worker-7" in said
    assert "crictl rmi --prune" in said
    assert "kubectl cordon worker-7; kubectl delete pod shop-698c8b469-882fm -n default" in said
    assert "no space left on device" in said


async def test_a_full_node_under_pressure_is_told_by_the_image_that_found_no_room() -> None:
    nodes = {"lists": {"nodes": [node("worker-7", "arm64", "DiskPressure")]}}

    said = told(await Scene(NO_SPACE[0], changes=nodes).decide())

    assert "node worker-7 (which is under DiskPressure) had no space left" in said
    assert IMAGE in said


@pytest.mark.parametrize("words", OTHERS)
async def test_no_other_reason_than_a_missing_tag_leads_to_another_tag(words: str) -> None:
    said = told(await Scene(OTHERS[words]).decide())

    assert words in said


@pytest.mark.parametrize("message", MISSING)
async def test_a_missing_tag_is_replaced_by_the_one_that_ran(message: str) -> None:
    step = await Scene(message).decide()

    assert isinstance(step, ProposePatch)
    assert OLDER in str(step.candidate.call.patch_data)


async def test_another_registry_is_gone_back_to_only_where_the_new_one_is_not_found_or_trusted() -> None:
    moved = {"older": [[{"name": "app", "image": "quay.io/acme/app:2.4.0"}]]}

    for message in (
        "the name of the registry isn't found",
        "no trusted connection",
        "has no such repository",
    ):
        assert isinstance(await Scene(OTHERS[message], changes=moved).decide(), ProposePatch)
    for message in (*NO_PLATFORM, *LIMITED, *NO_SPACE, OTHERS["what arrived isn't"]):
        assert isinstance(await Scene(message, changes=moved).decide(), HandOver)


async def test_the_latest_reason_counts_and_what_says_nothing_does_not() -> None:
    def said(message: str, at: str) -> Object:
        about = event("Failed", f'Failed to pull image "{IMAGE}": {message}')
        return {**about, "lastTimestamp": f"2026-11-23T11:{at}:00Z"}

    limited, missing, silent = LIMITED[1], MISSING[0], OTHERS["holds its pulls back"]
    now_limited = [said(missing, "10"), said(limited, "20"), said(silent, "30")]
    now_missing = [said(limited, "10"), said(missing, "20"), said(silent, "30")]

    assert isinstance(await Scene("", changes={"warnings": [], "events": now_limited}).decide(), HandOver)
    assert isinstance(await Scene("", changes={"warnings": [], "events": now_missing}).decide(), ProposePatch)


@pytest.mark.parametrize("image", ["ghcr.io/acme/no-space-left:2", "x509.example.com/denied/rate-limit:429"])
async def test_names_in_a_message_are_no_reasons(image: str) -> None:
    older = image.rpartition(":")[0] + ":1"
    message = f'Failed to pull image "{image}": {image.rpartition(":")[0]}: manifest unknown'
    changes: dict[str, Any] = {
        "containers": [{"name": "app", "image": image}],
        "statuses": [waiting("app", "ErrImagePull", message)],
        "warnings": [],
        "older": [[{"name": "app", "image": older}]],
    }

    step = await Scene("", changes=changes).decide()

    assert isinstance(step, ProposePatch), step
    assert older in str(step.candidate.call.patch_data)


async def test_an_init_container_is_judged_alike() -> None:
    changes: dict[str, Any] = {
        "init_containers": [{"name": "setup", "image": IMAGE}],
        "init_statuses": [waiting("setup", "ErrImagePull", NO_SPACE[0])],
        "containers": [{"name": "app", "image": "redis:7"}],
        "statuses": [waiting("app", "PodInitializing")],
        "older": [],
    }

    said = told(await Scene("", changes=changes).decide())

    assert "container setup can't start" in said
    assert "node worker-7 had no space left" in said

"""A kubelet's word that it has no log is no log."""

from typing import Any, cast

import pytest

from tests.unit.tools.recordings import recorded
from tools.errors import RequestRejected
from tools.kubectl.lost_logs import split_log
from tools.kubectl.pod_logs import read_logs
from tools.kubernetes.client import Cluster
from tools.kubernetes.resource_types import find_kind


class Answers:
    """A cluster with one pod, whose containers' logs are as given."""

    def __init__(self, logs: dict[str, str]) -> None:
        self.logs_by_container = logs

    async def get(self, _kind: Any, name: str, _namespace: str) -> dict[str, Any]:
        containers = [{"name": each} for each in self.logs_by_container]
        return {"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers}}

    async def logs(self, _pod: str, _namespace: str, *, container: str, **_options: Any) -> str:
        return self.logs_by_container[container]


async def read(logs: dict[str, str]) -> str:
    return await read_logs(
        cast("Cluster", Answers(logs)), find_kind("pod"), "web-1", "shop",
        container=None, previous=True, tail_lines=100, since_seconds=None,
    )  # fmt: skip


GONE = recorded("crash-loop-log-previous")["response"]


@pytest.mark.parametrize(
    "text",
    [
        GONE,
        f"{GONE}\n",
        "unable to retrieve container logs for docker://0f3a",
        'failed to try resolving symlinks in path "/var/log/pods/shop_web-1_u/app/4.log": lstat: gone',
        'failed to open log file "/var/log/pods/shop_web-1_u/app/0.log": open: no such file or directory',
        'previous terminated container "app" in pod "web-1" not found',
        f"2026-11-30T18:52:32.123456789Z {GONE}",
    ],
)
async def test_the_kubelets_word_that_it_has_no_log_is_an_error_of_the_reader(text: str) -> None:
    with pytest.raises(RequestRejected, match="keeps no log of that run") as caught:
        await read({"app": text})

    assert caught.value.code == 400


async def test_of_several_containers_only_the_one_without_a_log_says_so() -> None:
    text = await read({"app": GONE, "proxy": "ready\n"})

    assert "==> web-1 app <==\n[no log: the node keeps no log of that run" in text
    assert text.endswith("==> web-1 proxy <==\nready\n")


def test_a_log_that_breaks_off_keeps_what_the_program_wrote() -> None:
    assert split_log(f"starting\nFATAL: no DB_URL\n{GONE}") == ("starting\nFATAL: no DB_URL\n", GONE)


@pytest.mark.parametrize(
    "text",
    ["", "starting\n", f"{GONE}\nretrying\n", f'level=error msg="{GONE}"\n', f"agent: {GONE} (will retry)\n"],
)
async def test_a_programs_own_words_about_logs_are_left_alone(text: str) -> None:
    assert await read({"app": text}) == text

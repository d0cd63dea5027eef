"""What a stage waits for, in a namespace where others are at work too."""

from typing import Any

from bench.eval.snapshots import Snapshot


def pod(name: str, waiting: str) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": waiting}}}]}
    return {"kind": "Pod", "metadata": {"name": name}, "status": status}


def event(name: str, reason: str, about: str) -> dict[str, Any]:
    return {
        "kind": "Event",
        "metadata": {"name": name},
        "reason": reason,
        "involvedObject": {"kind": "Pod", "name": about},
    }


def test_what_the_pods_and_events_of_the_scenario_say_is_shown() -> None:
    now = Snapshot.of([pod("db-0", "ImagePullBackOff"), event("one", "FailedScheduling", "db-1")])

    assert now.shows("ImagePullBackOff", ("db",))
    assert now.shows("FailedScheduling", ("db",))
    assert not now.shows("CrashLoopBackOff", ("db",))


def test_what_befalls_somebody_elses_pods_is_no_sign_of_the_scenario() -> None:
    now = Snapshot.of([pod("cart-7", "ImagePullBackOff"), event("one", "ImagePullBackOff", "cart-7")])

    assert not now.shows("ImagePullBackOff", ("db",))

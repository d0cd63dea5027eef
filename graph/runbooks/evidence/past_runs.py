"""Whether the newest revision has run well before it began to crash: then its change isn't why it does.

A container without a readiness probe is Ready in the seconds before it crashes, so that the Deployment calls
its rollout complete: that alone proves nothing. It is the time before the first crash that counts.
"""

from datetime import datetime, timedelta

from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot

_WELL = timedelta(seconds=60)
# the kubelet's pauses between restarts double from 10 s to 5 minutes
_FIRST_PAUSE, _LONGEST_PAUSE = 10, 300
_CALM = timedelta(minutes=10)


def describe_good_run(snapshot: Snapshot, sighting: ObservedContainer) -> str:
    """Return in half a sentence how it is known that this pod ran well at first; empty if it didn't.

    Where its Deployment has completed the rollout and nothing says when the first crash was, it is taken to
    have run well: what isn't known to have failed from its beginning isn't rolled back.
    """
    progress = snapshot.workload.value.condition("Progressing")
    complete = progress is not None and progress.reason == "NewReplicaSetAvailable"
    if snapshot.workload.value.kind == "Deployment" and not complete:
        return ""
    lived = _time_before_first_crash(snapshot, sighting)
    if lived is not None:
        return f"it had run for {_say(lived)} before it first crashed" if lived >= _WELL else ""
    if _has_outlived_its_restarts(snapshot, sighting):
        return f"its pod is older than its {sighting.status.restart_count} restarts take"
    return (
        "its rollout was completed, and nothing says that it crashed from the beginning" if complete else ""
    )


def _time_before_first_crash(snapshot: Snapshot, sighting: ObservedContainer) -> timedelta | None:
    began = _first(snapshot, sighting, "Started") or sighting.pod.status.start_time
    ended = _first(snapshot, sighting, "BackOff")
    return max(ended - began, timedelta()) if began and ended else None


def _first(snapshot: Snapshot, sighting: ObservedContainer, reason: str) -> datetime | None:
    times = (
        event.first_seen_at
        for source in snapshot.events
        for event in source.value
        if event.reason == reason
        and event.is_about("Pod", sighting.pod.metadata)
        and (reason != "BackOff" or "restarting" in event.message)
    )
    return min((time for time in times if time), default=None)


def _has_outlived_its_restarts(snapshot: Snapshot, sighting: ObservedContainer) -> bool:
    """Whether a pod is far older than so many restarts take, one after the other."""
    began, restarts = sighting.pod.status.start_time, sighting.status.restart_count
    pauses = (min(_FIRST_PAUSE * 2 ** min(number, 5), _LONGEST_PAUSE) for number in range(restarts))
    return began is not None and snapshot.at - began > 2 * timedelta(seconds=sum(pauses)) + _CALM


def _say(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"{minutes} minutes" if minutes > 1 else "a minute"

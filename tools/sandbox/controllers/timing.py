"""How fast the sandbox's cluster lives: a demo can't wait five minutes for a back-off."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SandboxTiming:
    """Durations in seconds, each with what it stands for in a real cluster."""

    tick: float = 0.1
    """The controllers look around at least this often."""
    pull: float = 0.3
    """Pulling an image, or finding that it can't be pulled."""
    start: float = 0.1
    """From a created to a running container that answers probes."""
    crash: float = 0.4
    """From the start of a faulty program to its exit."""
    report: float = 0.4
    """How long ErrImagePull or a terminated state shows before the back-off does."""
    first_backoff: float = 1.0
    """The first wait before another try; it doubles from there (a kubelet starts with 10)."""
    back_off_shows: float = 0.5
    """For how long before its end a current kubelet shows a back-off as `CrashLoopBackOff`."""
    longest_backoff: float = 15.0
    """Where the doubling ends (a kubelet's 300)."""
    longest_probe_period: float = 1.0
    """Probes with longer periods or initial delays are made this often."""
    stop: float = 0.3
    """From a pod's deletion to its end, at most (a kubelet's 30)."""

    def backoff(self, failures: int) -> float:
        """Return the wait after so many failures in a row, in seconds."""
        return min(self.longest_backoff, self.first_backoff * 2.0 ** min(max(failures - 1, 0), 10))

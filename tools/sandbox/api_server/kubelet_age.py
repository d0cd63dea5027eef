"""How kubelets of different ages show what they do.

A current one (as recorded of 1.36) leaves a crashed container in the state of its last end for most of the
back-off, and keeps no log but that of the last ended run. An older one lets the container wait in
`CrashLoopBackOff` all the time.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class KubeletAge:
    """One age: its version, and whether a crashed container waits for all of its back-off."""

    version: str
    waits_between_crashes: bool

    @property
    def minor(self) -> str:
        """The version's second number."""
        return self.version.split(".")[1]

    @property
    def git_version(self) -> str:
        """The version as nodes and `/version` name it; that it is the sandbox's is a part of it."""
        return f"v{self.version}-sandbox"

    def say_created(self, container: str) -> str:
        """Return the text of the event that a container was created."""
        return f"Created container {container}" if self.waits_between_crashes else "Container created"

    def say_started(self, container: str) -> str:
        """Return the text of the event that a container was started."""
        return f"Started container {container}" if self.waits_between_crashes else "Container started"

    def say_present(self, image: str) -> str:
        """Return the text of the event that an image needn't be pulled."""
        more = "" if self.waits_between_crashes else " and can be accessed by the pod"
        return f'Container image "{image}" already present on machine{more}'


CURRENT = KubeletAge("1.36.2", waits_between_crashes=False)
OLDER = KubeletAge("1.31.4", waits_between_crashes=True)

"""What a tool server that runs as our child may see of this machine: all but what is hidden from it.

The hiding is `tools.confinement.landlock`'s, in the child itself before it becomes the server; only the
kernel's word counts.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.confinement import landlock
from tools.errors import BadInput


@dataclass(frozen=True)
class Confinement:
    """Files and folders that a child can't open, those below them that it needs, and where it may write.

    Every path is absolute. Nothing else may be written but a temporary folder of the child's own.
    """

    hidden: frozenset[Path]
    shown: frozenset[Path] = frozenset()
    writable: frozenset[Path] = frozenset()

    def showing(self, paths: Iterable[Path]) -> "Confinement":
        """Return this with more paths shown, but for those that are hidden themselves."""
        closed = {path.resolve() for path in self.hidden}
        return replace(self, shown=self.shown | {path for path in paths if path.resolve() not in closed})

    def writing(self, folders: Iterable[Path]) -> "Confinement":
        """Return this with more folders to write in. Raises BadInput for one that holds what is hidden."""
        folders = frozenset(folders)
        for folder in folders:
            for path in self.hidden:  # and the link that leads to it, where it is one
                real = (path.resolve(), path.parent.resolve() / path.name)
                if any(one.is_relative_to(folder.resolve()) for one in real):
                    raise BadInput(
                        f"no tool server may write in {folder}, since {path} is in it: name a folder below it"
                    )
        return replace(self, writable=self.writable | folders)

    def wrap(self, command: str, args: Sequence[str], folder: str) -> tuple[str, list[str]]:
        """Return the command and arguments that start a server confined; `folder` is its temporary one."""
        plan = {
            "hidden": sorted(map(str, self.hidden)),
            "shown": sorted(map(str, self.shown)),
            "writable": [*sorted(map(str, self.writable)), folder],
        }
        return sys.executable, ["-I", "-S", landlock.__file__, json.dumps(plan), command, *args]

"""Whether a log is one: a kubelet that has no log any more says so where the log should be.

It removes the logs of all but the last ended run of a container, and answers 200 all the same. Taken for the
program's own words, its sentence would be quoted as the cause of a crash.
"""

import re

_NO_LOG = re.compile(
    r"unable to retrieve container logs for \S+"
    r"|failed to try resolving symlinks in path \"[^\"\n]*\".*"
    r"|failed to open log file \"[^\"\n]*\".*"
    r"|previous terminated container \"[^\"\n]*\" in pod \"[^\"\n]*\" not found"
)
# what the container runtime puts before each line, where timestamps are asked for
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) ")


def split_log(text: str) -> tuple[str, str]:
    """Return what the container wrote, and the kubelet's word that it has no (more of the) log, or empty.

    Only the last line can be the kubelet's: what a program itself writes before is left alone.
    """
    body = text.rstrip("\n")
    before, _, last = body.rpartition("\n")
    if _NO_LOG.fullmatch(_STAMP.sub("", last).strip()):
        return (f"{before}\n" if before.strip() else ""), last.strip()
    return text, ""

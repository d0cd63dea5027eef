"""The policy in force: the file that MENDGATE_POLICY names, read at the start, else the built-in one."""

from pathlib import Path

from graph.policy import BUILT_IN, Policy, parse_policy
from tools.errors import BadInput


def load_policy(path: Path | None) -> Policy:
    """Return the policy of a file (None: the built-in one).

    Raises `PolicyUnusable` with every mistake by its line, and `BadInput` where the file can't be read.
    """
    if path is None:
        return BUILT_IN
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): check MENDGATE_POLICY") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} isn't UTF-8 text: a policy is a YAML file") from error
    return parse_policy(text, str(path))

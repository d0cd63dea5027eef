"""The commands of a documentation page, and a shell that runs them as a reader would type them.

A page is Markdown first. Comments that no reader sees, right before a block, say what the block alone can't:

`<!-- saved as: policy.yaml -->`  the reader saves this block under that name
`<!-- runs on: listens on -->`    its last line doesn't end; it is ready once it has printed this text
`<!-- in a while -->`             takes effect after a moment: repeated until its last command succeeds
`<!-- exits: 1 -->`               its last command ends with this code
`<!-- before: a service -->`      what the page takes for granted; see `PRELUDES`
`<!-- not run: why -->`           it can't be run on a machine that runs tests
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_SHELLS = frozenset({"sh", "bash", "console"})
_BLOCK = re.compile(
    r"(?P<notes>(?:^[ ]*<!--[^\n]*-->\n\s*?)*)"
    r"^(?P<indent>[ ]*)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_NOTE = re.compile(r"<!-- (saved as|runs on|in a while|exits|before|not run)(?:: (.+?))? -->")
_TOKENS = "export MENDGATE_TOKEN=$(mendgate token create --role admin --name you)\n"
PRELUDES = {"tokens": _TOKENS, "a service": f"{_TOKENS}start 'listens on' mendgate serve\n"}
_SHELL = """
set -euo pipefail
exec < <(yes)  # whoever asks is told to go on
trap 'exec < /dev/null; for job in $(jobs -p); do kill $job; wait $job || true; done' EXIT

start() {  # what it prints when it is ready, and the command
    local ready=$1 log=started-$RANDOM.log; shift
    eval "$*" > "$log" 2>&1 &
    until grep -qF -- "$ready" "$log"; do
        kill -0 $! || { cat "$log"; exit 1; }
        sleep 0.1
    done
    cat "$log"
}
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page, and what the comments before it say."""

    page: str
    line: int
    language: str
    text: str
    notes: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where it stands, as `docs/model.md:12`."""
        return f"{self.page}:{self.line}"

    @property
    def is_command(self) -> bool:
        """Whether a reader types it."""
        return self.language in _SHELLS

    @property
    def not_run(self) -> str | None:
        """Why it isn't run, or None."""
        return self.notes.get("not run")


def read_blocks(page: Path) -> Sequence[Block]:
    """Return every fenced block of a page of ours, in order."""
    return tuple(parse_blocks(str(page.relative_to(ROOT)), page.read_text()))


def parse_blocks(page: str, text: str) -> Iterator[Block]:
    """Yield every fenced block of a page's text, in order."""
    for found in _BLOCK.finditer(text):
        notes = {name: value or "" for name, value in _NOTE.findall(found["notes"])}
        line = text.count("\n", 0, found.start("text"))
        yield Block(page, line, found["language"].strip(), dedent(found["text"]), notes)


def write_script(blocks: Sequence[Block]) -> str:
    """Return the bash script of a page; it fails where a command does."""
    befores = [PRELUDES[block.notes["before"]] for block in blocks if "before" in block.notes]
    saved = [_save(block) for block in blocks if "saved as" in block.notes]
    typed = [_type(block) for block in blocks if block.is_command and block.not_run is None]
    return "\n".join([_SHELL, *saved, *befores, *typed])


def _save(block: Block) -> str:
    return f"cat > {shlex.quote(block.notes['saved as'])} <<'END OF FILE'\n{block.text}END OF FILE\n"


def _type(block: Block) -> str:
    return f"echo {shlex.quote('### ' + block.place)}\n{_commands(block)}"


def _commands(block: Block) -> str:
    typed = _typed(block)
    function = f"block_{block.line}() {{\n{typed}}}\n"
    if "in a while" in block.notes:
        return f"{function}until block_{block.line}; do sleep 0.3; done\n"
    if code := block.notes.get("exits"):
        return f"{function}code=0; block_{block.line} || code=$?\n[ $code = {code} ]\n"
    if ready := block.notes.get("runs on"):
        *before, last = typed.replace("\\\n", " ").rstrip("\n").splitlines()
        return "\n".join([*before, f"start {shlex.quote(ready)} {shlex.quote(last)}\n"])
    return typed


def _typed(block: Block) -> str:
    if block.language != "console":
        return block.text
    return "".join(
        f"{line.removeprefix('$ ')}\n" for line in block.text.splitlines() if line.startswith("$ ")
    )

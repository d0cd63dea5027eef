"""An MCP server with bad habits, in bare JSON-RPC so that it starts in no time.

`python odd_server.py [--refuse|--leave-after-greeting|--flood]`; its tools are named after what they do.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


def text(content: str, *, failed: bool = False) -> Answer:
    return {"result": {"content": [{"type": "text", "text": content}], "isError": failed}}


def write(message: Answer) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def die(_: Answer) -> Answer:
    os.kill(os.getpid(), 9)
    raise AssertionError


def hang(arguments: Answer) -> Answer:
    if sign := arguments.get("sign"):
        Path(sign).touch()
    time.sleep(60)
    return text("late")


def garble(_: Answer) -> Answer:
    sys.stdout.buffer.write(b'Listening on port 80\n{ port: 80 }\n{"level":"info"}\n[1, 2\n\n\xff\xfe\n')
    return text("after garbage")


def repeat(arguments: Answer) -> Answer:
    """Write `unit` to a stream again and again, and to the file `count` how many bytes went out."""
    unit, descriptor = arguments["unit"].encode(), arguments.get("descriptor", 1)
    os.write(descriptor, arguments.get("begin", "").encode())
    written, chunk = 0, unit * (65_536 // len(unit) + 1)
    while True:
        written += os.write(descriptor, chunk)
        if count := arguments.get("count"):
            Path(count).write_text(str(written))


def say(arguments: Answer) -> Answer:
    """Write a text, made of a beginning, `unit` so many `times` and an end; then end if told to."""
    begin, end = arguments.get("begin", ""), arguments.get("end", "\n")
    sys.stdout.write(begin + arguments.get("unit", "") * arguments.get("times", 1) + end)
    sys.stdout.flush()
    if arguments.get("leave"):
        os._exit(0)
    return hang({})


TOOLS: dict[str, Callable[[Answer], Answer]] = {
    "echo": lambda arguments: text(arguments["text"]),
    "pid": lambda _: text(str(os.getpid())),
    "environment": lambda _: text(json.dumps(dict(os.environ))),
    "die": die,
    "hang": hang,
    "garble": garble,
    "fail": lambda _: text("Error from server (Conflict): it moved", failed=True),
    "protest": lambda _: {"error": {"code": -32603, "message": "Error from server (NotFound): gone"}},
    "repeat": repeat,
    "say": say,
    "promise": lambda _: {"result": {"content": [], "structuredContent": {"found": "text"}}},
    "mumble": lambda _: {"result": {"content": "not a list"}},
}


def handle(method: str, parameters: Answer) -> Answer:
    if method == "initialize":
        version = parameters["protocolVersion"]
        about = {"name": "odd", "version": "7"}
        return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}}
    if method == "tools/list":
        # one per page, as a server with many may do
        names = list(TOOLS)
        at = int(parameters.get("cursor") or 0)
        tool: Answer = {"name": names[at], "description": "odd", "inputSchema": {"type": "object"}}
        if names[at] == "promise":
            tool["outputSchema"] = {"type": "object", "properties": {"found": {"type": "number"}}}
        return {"result": {"tools": [tool]} | ({"nextCursor": str(at + 1)} if at + 1 < len(names) else {})}
    if method == "tools/call":
        return TOOLS[parameters["name"]](parameters.get("arguments") or {})
    return {"result": {}}


def main() -> None:
    if "--flood" in sys.argv:
        repeat({"unit": "x"})
    if "--refuse" in sys.argv:
        sys.exit(f"odd: the cupboard is bare ({os.getpid()})")
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            if "--leave-after-greeting" in sys.argv:
                return
            continue
        answer = handle(message["method"], message.get("params") or {})
        write({"jsonrpc": "2.0", "id": message["id"], **answer})


if __name__ == "__main__":
    main()

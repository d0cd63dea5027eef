"""An MCP server with bad habits, in bare JSON-RPC so that it starts in no time.

`python odd_server.py [--refuse|--leave-after-greeting]`; its tools are named after what they do.
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
    sys.stdout.buffer.write(b'Listening on port 80\n{"jsonrpc": \n\xff\xfe\n')
    return text("after garbage")


TOOLS: dict[str, Callable[[Answer], Answer]] = {
    "echo": lambda arguments: text(arguments["text"]),
    "pid": lambda _: text(str(os.getpid())),
    "environment": lambda _: text(json.dumps(dict(os.environ))),
    "die": die,
    "hang": hang,
    "garble": garble,
    "fail": lambda _: text("Error from server (Conflict): it moved", failed=True),
    "protest": lambda _: {"error": {"code": -32603, "message": "Error from server (NotFound): gone"}},
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
        tool = {"name": names[at], "description": "odd", "inputSchema": {"type": "object"}}
        return {"result": {"tools": [tool]} | ({"nextCursor": str(at + 1)} if at + 1 < len(names) else {})}
    if method == "tools/call":
        return TOOLS[parameters["name"]](parameters.get("arguments") or {})
    return {"result": {}}


def main() -> None:
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

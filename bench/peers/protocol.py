"""How the benchmark speaks with a peer: a line of JSON asks, a line of JSON answers.

Standard library only: peers run in an environment that has nothing of the project.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

Answer = dict[str, Any]


class Unsupported(Exception):
    """The peer has nothing that does this; the message says what is missing."""


def serve(peer: object) -> None:
    """Answer requests from stdin until it ends, by calling the peer's method of the request's name.

    Whatever else writes to stdout goes to stderr, so that only answers travel on the pipe.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # Children must not keep the driver's end of the pipe open.
    os.set_inheritable(answers.fileno(), False)
    stopped = False
    try:
        for line in sys.stdin:
            request = json.loads(line)
            answers.write(json.dumps(_answer(peer, request)) + "\n")
            if request["do"] == "stop":
                stopped = True
                return
    finally:
        answers.close()
        if not stopped:
            # The driver is gone: what was started here must not outlive it.
            _answer(peer, {"do": "stop", "with": {}})


def _answer(peer: object, request: Answer) -> Answer:
    method = getattr(peer, request["do"], None)
    if method is None:
        return {"unsupported": f"has no {request['do']}"}
    try:
        return {"ok": method(**request["with"])}
    except Unsupported as reason:
        return {"unsupported": str(reason)}
    except Exception:
        return {"error": traceback.format_exc()}

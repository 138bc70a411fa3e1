"""What takes more than one question to a peer: kills, idleness, memory."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.driver import Peer
from bench.peers.processes import cpu_seconds, memory_bytes, tree
from bench.peers.protocol import Answer
from bench.servers import Servers

Probe = Callable[[Peer, Servers, Mapping[str, Any]], Answer]

SETTLE_S = 3.0
RECOVERY_TIMEOUT_S = 90.0


def recovery(peer: Peer, servers: Servers, arguments: Mapping[str, Any]) -> Answer:
    """Kill something in the midst of a chain of 100 ms steps; seconds from the kill of a process, or from the moment
    when a server is back, to the end of the next step.
    """
    what = arguments["what"]
    peer.ask("steady")
    if what in ("valkey", "postgres"):
        server = servers.valkey if what == "valkey" else servers.postgres
        server.kill()
        server.restart()
        since = time.time()
    else:
        # They have just begun a step: none ends between the question and the kill.
        for pid in peer.ask("victims", what=what)["pids"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        since = time.time()
    return {"seconds": peer.ask("finished_after", since=since, timeout_s=RECOVERY_TIMEOUT_S)["at"] - since}


def idle(peer: Peer, servers: Servers, arguments: Mapping[str, Any]) -> Answer:
    """CPU time of the processes while nothing is to be done."""
    pause = threading.Event()
    workers = peer.ask("pids")["pids"]
    both = [*tree(servers.postgres.pid), *tree(servers.valkey.pid)]
    pause.wait(SETTLE_S)
    before = cpu_seconds(workers), cpu_seconds(both)
    began = time.monotonic()
    pause.wait(arguments["seconds"])
    after = cpu_seconds(workers), cpu_seconds(both)
    took = time.monotonic() - began
    return {"seconds": took, "workers": after[0] - before[0], "servers": after[1] - before[1]}


def memory(peer: Peer, _: Servers, arguments: Mapping[str, Any]) -> Answer:
    """Resident memory of the worker before and after many steps, in runs of 1,000."""
    peer.ask("runs", runs=2, steps=500)
    pids = peer.ask("pids")["pids"]
    start = memory_bytes(pids)
    peer.ask("runs", runs=arguments["steps"] // 1000, steps=1000)
    return {"start_bytes": start, "end_bytes": memory_bytes(pids)}

"""`python -m bench [steps|gates|http|history] ...`: the benchmarks by name, `steps` if none is named."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("steps", "gates", "http", "history")


def main() -> int:
    """Run the named benchmark; its exit status."""
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and arguments[0] in BENCHMARKS else "steps"
    return int(importlib.import_module(f"bench.{name}").main(arguments))


if __name__ == "__main__":
    raise SystemExit(main())

#!/bin/sh
# Set up .venv with the pinned packages and the project itself. Fast when nothing changed.
# Names all that is missing on this machine, each with the one command that mends it.
set -eu
cd "$(dirname "$0")/.."

NEEDED_KB=1048576

mend() { # mend APT DNF PACMAN APK BREW: the command for this system
    if command -v apt-get >/dev/null 2>&1; then echo "sudo apt-get install -y $1"
    elif command -v dnf >/dev/null 2>&1; then echo "sudo dnf install -y $2"
    elif command -v pacman >/dev/null 2>&1; then echo "sudo pacman -S --needed $3"
    elif command -v apk >/dev/null 2>&1; then echo "sudo apk add $4"
    elif command -v brew >/dev/null 2>&1; then echo "brew install $5"
    elif [ "$(uname -s)" = Darwin ]; then echo "install Homebrew, then: brew install $5"
    else echo "install: $1"; fi
}

find_python() {
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 python}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

missing=""
python="$(find_python)"
if [ -z "$python" ]; then
    missing="$missing
  Python 3.11 or newer:  $(mend 'python3 python3-venv' python3.12 python python3 python@3.12)"
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    missing="$missing
  Python's venv module:  $(mend "python$version-venv" "python$version" python python3 "python@$version")"
fi
if ! command -v git >/dev/null 2>&1; then
    missing="$missing
  git:  $(mend git git git git git)"
fi
if [ ! -d .venv ]; then
    free="$(df -Pk . | awk 'NR == 2 { print $4 }')"
    if [ "$free" -lt "$NEEDED_KB" ]; then
        missing="$missing
  1 GB of disk space:  only $((free / 1024)) MB are free in $(pwd)"
    fi
fi
if [ -n "$missing" ]; then
    echo "Perdure cannot be set up yet. Missing:$missing" >&2
    exit 1
fi

# What the environment depends on. A clone that was moved or got another Python is set up again.
key="$("$python" - <<'END'
import hashlib, os, sys
digest = hashlib.sha256(repr((os.getcwd(), sys.version_info[:3])).encode())
for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
    with open(name, "rb") as file:
        digest.update(file.read())
print(digest.hexdigest())
END
)"
stamp=.venv/perdure-setup
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && .venv/bin/python -c '' >/dev/null 2>&1; then
    exit 0
fi

echo "Setting up .venv with $("$python" -c 'import sys; print("Python %d.%d.%d" % sys.version_info[:3])') (about a minute)"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
same='import os, sys; sys.exit(sys.version_info[:2] != tuple(map(int, sys.argv[1].split("."))))'
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
if ! .venv/bin/python -c "$same" "$version" >/dev/null 2>&1 || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv .venv
fi
rm -f "$stamp"
.venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-dev.lock
# Its dependencies and its build backend are there by now, by hash: nothing is fetched for it.
.venv/bin/python -m pip install --quiet --no-build-isolation --no-deps --no-index -e .
if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then
    # Each process would compile all that it imports, where the environment was made by uv: that leaves it to Python, unlike pip.
    # Some ten seconds the first time; what cannot be compiled is no fault.
    .venv/bin/python -m compileall -qq -j 2 .venv/lib >/dev/null 2>&1 || true
fi
if .venv/bin/python -c 'import geventwebsocket' >/dev/null 2>&1; then
    echo "gevent-websocket is installed in .venv and breaks websockets: remove .venv and run make setup again" >&2
    exit 1
fi
printf '%s\n' "$key" >"$stamp"

#!/bin/sh
# The environment of the peers, .bench-venv. Fast when nothing changed.
set -eu
cd "$(dirname "$0")/../.."
stamp=.bench-venv/bench-setup
if [ -f "$stamp" ] && cmp -s bench/peers/requirements.txt "$stamp" && .bench-venv/bin/python -c '' >/dev/null 2>&1; then
    exit 0
fi
echo "Setting up .bench-venv with the peers (one to two minutes)"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
[ -x .bench-venv/bin/python ] || .venv/bin/python -m venv .bench-venv
rm -f "$stamp"
.bench-venv/bin/python -m pip install --quiet -r bench/peers/requirements.txt
cp bench/peers/requirements.txt "$stamp"

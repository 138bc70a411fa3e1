#!/bin/sh
# See that there is a Chromium for the browser tests: one that is there, else, for root on Debian and its kin, the system's
# package. Otherwise says which command installs it; the tests then skip what needs a browser.
set -u

cd "$(dirname "$0")/.."
if .venv/bin/python -m tests.browser.chromium >/dev/null 2>&1; then exit 0; fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium for the browser tests (a minute or two)"
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1; then
        exit 0
    fi
    echo "Chromium could not be installed by apt-get" >&2
fi
if command -v apt-get >/dev/null 2>&1; then mend="sudo apt-get install -y chromium"
elif command -v dnf >/dev/null 2>&1; then mend="sudo dnf install -y chromium"
elif command -v pacman >/dev/null 2>&1; then mend="sudo pacman -S --needed chromium"
elif command -v apk >/dev/null 2>&1; then mend="sudo apk add chromium"
else mend="brew install --cask chromium"; fi
echo "There is no Chromium: the browser tests will be skipped. It comes by: $mend" >&2

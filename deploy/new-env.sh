#!/bin/sh
# Write .env from .env.example, with a new password wherever one is empty. Keeps an .env that is there.
set -eu
cd "$(dirname "$0")/.."
umask 077

if [ -e .env ]; then
    echo ".env is there already; remove it first to get new passwords" >&2
    exit 1
fi
new="$(mktemp .env.XXXXXX)"
trap 'rm -f "$new"' EXIT
while IFS= read -r line; do
    case "$line" in
        *PASSWORD= | *TOKEN=) line="$line$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    esac
    printf '%s\n' "$line"
done <.env.example >"$new"
# Mounted into the workers. Their user in the container is 10001.
mkdir -p private/ssh-keys private/secrets
ln "$new" .env
echo "wrote .env (mode 0600)"

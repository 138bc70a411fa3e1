"""The POSIX sh that runs on the host around a detached command. Needs sh, dd, tail, and setsid, python3 or perl.

A command has a directory on the host, `~/.perdure/<step>/<command>/`:

- `claim/`   made by the one runner that executes the command; mkdir is the atomic claim, so it starts exactly once
- `pid`      the runner, which leads the command's process group
- `log`      what the command writes
- `exit`     its exit status, when it has ended
- `status`   one line `exit <status> <size of log>`, followed while the command runs
- `killed`   the attempt that ended the command; only a later one may start it again. It stays, because a start that was
             under way when the command was ended may come after that

$1 is the length of the script text (see connection.py); the directory's parts come as $2 and $3.
"""

from __future__ import annotations

# Says whether the runner lives. A pid may have been given to another process since (after a reboot), so its command
# line must name the directory. Both /proc and ps are tried, since either may be missing.
_ALIVE = r"""
dir="$HOME/.perdure/$2/$3"
leader() {
  pid=$(cat "$dir/pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
  if [ -r "/proc/$pid/cmdline" ]; then tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q -F -e "$2/$3"
  elif command -v ps >/dev/null 2>&1; then ps -o args= -p "$pid" 2>/dev/null | grep -q -F -e "$2/$3"
  fi
}
"""

# Executes the command: $1 is its directory, $2 its script. The trap keeps the runner alive through TERM, so that it
# can write how the command ended.
_RUNNER = r"""
mkdir "$1/claim" 2>/dev/null || { rm -f "$2"; exit 0; }
trap : HUP INT TERM
echo $$ > "$1/pid.new" && mv "$1/pid.new" "$1/pid"
sh "$2" >> "$1/log" 2>&1 < /dev/null
code=$?
echo "$code" > "$1/exit.new" && mv "$1/exit.new" "$1/exit"
echo "exit $code $(($(wc -c < "$1/log")))" >> "$1/status"
find "$HOME/.perdure" \( -name exit -o -name killed \) -type f -mtime +7 2>/dev/null |
  while IFS= read -r old; do rm -rf "${old%/*}"; rmdir "${old%/*/*}" 2>/dev/null; done
"""

# $4: bytes of the command's script, which is on standard input. $5: bytes of log that are known already. $6: attempt.
# The log goes to stdout as it grows, what happened to stderr, a sign of life every 2 s. Ends when its input does.
FOLLOW = (
    _ALIVE
    + r"""
umask 077
if [ -f "$dir/killed" ]; then
  [ "$6" -gt "$(cat "$dir/killed")" ] || exit 93
  rm -rf "$dir"
fi
mkdir -p "$dir" || exit 90
cd "$HOME" || exit 90
: >> "$dir/log" && : >> "$dir/status" || exit 90
if [ ! -d "$dir/claim" ]; then
  script="$dir/script.$$"
  dd bs=1 count="$4" of="$script" 2>/dev/null
  [ "$(($(wc -c < "$script")))" -eq "$4" ] || { rm -f "$script"; exit 91; }
  runner='"""
    + _RUNNER.replace("'", "'\\''")
    + r"""'
  if command -v setsid >/dev/null 2>&1; then
    setsid sh -c "$runner" perdure "$dir" "$script" </dev/null >/dev/null 2>&1 &
  elif command -v python3 >/dev/null 2>&1; then
    python3 -c 'import os, sys; os.setsid(); os.execvp("sh", ["sh", "-c"] + sys.argv[1:])' \
      "$runner" perdure "$dir" "$script" </dev/null >/dev/null 2>&1 &
  elif command -v perl >/dev/null 2>&1; then
    perl -MPOSIX -e 'POSIX::setsid(); exec "sh", "-c", @ARGV' \
      "$runner" perdure "$dir" "$script" </dev/null >/dev/null 2>&1 &
  else
    rm -f "$script"; exit 92
  fi
fi
tail -c +$(($5 + 1)) -f "$dir/log" 2>/dev/null & log=$!
tail -n +1 -f "$dir/status" >&2 2>/dev/null & status=$!
(
  missing=0
  while :; do
    echo alive >&2 || exit
    if [ ! -f "$dir/exit" ] && ! leader "$1" "$2" "$3"; then missing=$((missing + 1)); else missing=0; fi
    if [ "$missing" -ge 3 ]; then echo gone >&2; exit; fi
    sleep 2
  done
) & beat=$!
cat > /dev/null
kill "$log" "$status" "$beat" 2>/dev/null
"""
)

# Ends the command and all its children; $4 is the attempt. Taking the claim keeps one from starting that has not yet.
KILL = (
    _ALIVE
    + r"""
umask 077
mkdir -p "$dir" || exit 90
mkdir "$dir/claim" 2>/dev/null && fresh=yes || fresh=
echo "$4" > "$dir/killed.new" && mv "$dir/killed.new" "$dir/killed"
[ -z "$fresh" ] || exit 0
n=0
while [ ! -f "$dir/pid" ] && [ "$n" -lt 20 ]; do sleep 0.1; n=$((n + 1)); done
pid=$(cat "$dir/pid" 2>/dev/null) || pid=
ours() {
  kill -0 "-$pid" 2>/dev/null || return 1
  kill -0 "$pid" 2>/dev/null || return 0
  leader "$1" "$2" "$3"
}
if [ -n "$pid" ] && ours "$1" "$2" "$3"; then
  kill -TERM "-$pid" 2>/dev/null
  n=0
  while kill -0 "-$pid" 2>/dev/null && [ "$n" -lt 20 ]; do sleep 0.1; n=$((n + 1)); done
  kill -KILL "-$pid" 2>/dev/null
fi
cd "$dir" && rm -f log status pid exit script.*
exit 0
"""
)

# Forgets a command whose end has been read.
FORGET = _ALIVE + 'rm -rf "$dir"\nrmdir "${dir%/*}" 2>/dev/null\nexit 0\n'

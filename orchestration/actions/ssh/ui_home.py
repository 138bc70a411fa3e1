"""A variable kept in the user's profile on the host, between two marks, so that setting it again replaces it."""

from __future__ import annotations

from pydantic import Field

from orchestration.actions.declaration import ActionParams
from orchestration.actions.ssh.quoting import EnvironmentName, RemotePath, quote_path

# $2 is the name of the variable. What stands between the marks is ours and nothing else.
BLOCK = r"""
begin="# >>> perdure $2 >>>"
end="# <<< perdure $2 <<<"
"""


class VariableParams(ActionParams):
    """Which variable, in which file."""

    variable: EnvironmentName = "UI_HOME"
    profile: RemotePath = Field("~/.profile", description="file that shells read at sign-in")


def write_script(params: VariableParams) -> str:
    """Replace or append the block; $3 is the value. A file that already says so is left alone."""
    return (
        BLOCK
        + f"profile={quote_path(params.profile)}\n"
        + r"""
umask 022
mkdir -p "$(dirname "$profile")" && touch "$profile" || exit 1
quoted=$(printf '%s\n' "$3" | sed "s/'/'\\\\''/g")
new="$profile.perdure.$$"
cp -p "$profile" "$new" || exit 1
trap 'rm -f "$new"' EXIT
{
  # A begin without its end is not ours to remove: what follows it is printed after all.
  awk -v begin="$begin" -v end="$end" '
    $0 == begin { if (inside) printf "%s", held; inside = 1; held = "" }
    inside { held = held $0 "\n" }
    !inside { print }
    $0 == end { inside = 0 }
    END { if (inside) printf "%s", held }
  ' "$profile"
  printf '%s\n' "$begin" "export $2='$quoted'" "$end"
} > "$new" || exit 1
if cmp -s "$new" "$profile"; then echo changed=no; exit 0; fi
# A link (as people keep their profiles elsewhere) is written through, a plain file is replaced at once.
if [ -L "$profile" ]; then cat "$new" > "$profile"; else mv "$new" "$profile"; fi || exit 1
echo changed=yes
"""
    )


def read_script(params: VariableParams) -> str:
    """Say the value that the block sets, and whether that is a directory. Only our block is evaluated."""
    return (
        BLOCK
        + f"profile={quote_path(params.profile)}\n"
        + r"""
[ -r "$profile" ] || { echo set=no; exit 0; }
block=$(awk -v begin="$begin" -v end="$end" '
  $0 == end { inside = 0 } inside { print } $0 == begin { inside = 1 }
' "$profile")
case $block in "export $2='"*) ;; *) echo set=no; exit 0 ;; esac
eval "$block"
eval "value=\$$2"
echo set=yes
printf 'value=%s\n' "$value"
if [ -d "$value" ]; then echo exists=yes; else echo exists=no; fi
"""
    )

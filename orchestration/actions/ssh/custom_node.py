"""One custom node: a repository under the nodes directory, with its requirements."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from pydantic import Field

from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent
from orchestration.actions.ssh.quoting import GitRef, Plain, quote_path

_SCP_FORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^:/][^:]*")


class CustomNode(ActionParams):
    """A repository to clone or update."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="directory under `directory`")
    url: Plain = Field(max_length=1000, description="https or ssh URL")
    ref: GitRef | None = Field(None, description="branch, tag or commit; unset: the default branch")

    def check_url(self, schemes: Iterable[str]) -> None:
        """Raises: Permanent when the repository's scheme is not allowed, or the URL holds a password."""
        scheme, separator, rest = self.url.partition("://")
        if not separator:
            scheme = "ssh" if _SCP_FORM.fullmatch(self.url) else ""
        elif ":" in rest.partition("/")[0].rpartition("@")[0]:
            raise Permanent(f"node {self.name}: the URL holds a password; configure access on the host instead")
        if scheme not in tuple(schemes):
            raise Permanent(
                f"node {self.name}: only {', '.join(schemes)} repositories may be cloned (PERDURE_REPOSITORY_SCHEMES)"
            )

    def place(self, directory: str) -> str:
        """The node's directory as one shell word."""
        return f"{quote_path(directory.rstrip('/') or '/')}/{shlex.quote(self.name)}"


def git_environment(schemes: Iterable[str]) -> str:
    """Shell lines that keep git from asking questions and from other transports, also in redirects and submodules."""
    return (
        "export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -o BatchMode=yes'\n"
        f"export GIT_ALLOW_PROTOCOL={shlex.quote(':'.join(schemes))}\n"
    )


# Expects url, ref (or nothing) and place. A clone is made beside its place and moved there whole, so that what an
# interrupted one left is never taken for a node. A commit is checked out detached: updating needs no merge.
CLONE_OR_UPDATE = r"""
set -eu
if [ -e "$place" ]; then
  git -C "$place" rev-parse --git-dir >/dev/null 2>&1 && [ -e "$place/.git" ] ||
    { echo "$place exists and is not a git repository" >&2; exit 65; }
  git -C "$place" remote set-url origin "$url"
  git -C "$place" fetch -q --tags --prune --force origin
  git -C "$place" remote set-head origin -a >/dev/null 2>&1 || true
  tree=$place
else
  mkdir -p "$(dirname "$place")"
  tree="$place.perdure-new"
  rm -rf "$tree"
  git clone -q --no-checkout -- "$url" "$tree"
fi
commit=
for name in ${ref:+"refs/remotes/origin/$ref" "refs/tags/$ref" "$ref"} ${ref:-refs/remotes/origin/HEAD}; do
  commit=$(git -C "$tree" rev-parse -q --verify "$name^{commit}" 2>/dev/null) && break
done
[ -n "$commit" ] || { echo "there is no branch, tag or commit ${ref:-origin/HEAD}" >&2; exit 66; }
git -C "$tree" checkout -q --detach "$commit"
git -C "$tree" submodule update -q --init --recursive
[ "$tree" = "$place" ] || mv "$tree" "$place"
echo "commit $commit"
"""

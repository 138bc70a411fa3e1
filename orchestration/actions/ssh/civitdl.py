"""The civitdl command-line tool on a host: where it lies, and its configuration file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from orchestration.actions.ssh.pip_options import PipOptions, python_of
from orchestration.actions.ssh.quoting import Program, RemotePath, quote_path

PackageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$")]
PackageVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,63}$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


def _api_url(url: str) -> str:
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise ValueError("must be an https URL (http only to loopback): the API key is sent to it")
    return url


ApiUrl = Annotated[str, Field(max_length=2000, pattern=r"^[!-~]+$"), AfterValidator(_api_url)]


class CivitdlParams(PipOptions):
    """Where civitdl is installed and configured."""

    package: PackageName = "civitdl"
    venv: RemotePath | None = Field(None, description="virtual environment to use; unset: the user's own packages")
    python: Program = Field("python3", description="interpreter when there is no `venv`")
    command: ToolName = Field("civitdl", description="name of the installed program")
    config_path: RemotePath | None = Field(None, description="configuration file; unset: where civitdl looks for it")

    @property
    def interpreter(self) -> str:
        """The interpreter as one shell word."""
        return python_of(self.venv, self.python)

    def shell_setup(self) -> str:
        """Shell lines that put the installed programs into PATH and set `config`, the file or nothing."""
        if self.venv:
            programs = f"{quote_path(self.venv)}/bin"
        else:
            programs = f'"$({self.interpreter} -m site --user-base)/bin"'
        config = quote_path(self.config_path) if self.config_path else "''"
        return f'bin={programs}\nPATH="$bin:$PATH"\nexport PATH\nconfig={config}\n'


# Runs on the host. argv: configuration file or nothing. Same place as civitdl's own (appdirs) rule.
FIND_CONFIG = """
import json, os, pathlib, stat, sys
home = pathlib.Path.home()
if sys.argv[1]:
    path = pathlib.Path(sys.argv[1])
elif sys.platform == "darwin":
    path = home / "Library/Application Support/civitdl/config.json"
else:
    path = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "civitdl/config.json"
"""

# The key comes on standard input. The file is 0600 from its first byte, and replaced whole.
WRITE_KEY = (
    FIND_CONFIG
    + """
key = sys.stdin.readline().strip()
try:
    data = json.loads(path.read_text(encoding="utf-8"))
except FileNotFoundError:
    data = {"version": "1"}
except ValueError:
    sys.exit("the configuration file is not JSON: " + str(path))
data.setdefault("default", {})["api_key"] = key
path.parent.mkdir(parents=True, exist_ok=True)
new = path.with_name(path.name + ".perdure." + str(os.getpid()))
with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
    json.dump(data, file, indent=2)
os.replace(new, path)
print("config=" + str(path))
"""
)

READ_CONFIG = (
    FIND_CONFIG
    + """
try:
    data = json.loads(path.read_text(encoding="utf-8"))
    mode = stat.S_IMODE(path.stat().st_mode)
    print("configured=" + ("yes" if data.get("default", {}).get("api_key") else "no"))
    print("private=" + ("no" if mode & 0o077 else "yes"))
except FileNotFoundError:
    print("configured=no")
except ValueError:
    print("configured=unreadable")
print("config=" + str(path))
"""
)

# Asks the service with the configured key; prints only the status. A redirect is not followed: it would carry the key.
ASK_SERVICE = (
    FIND_CONFIG
    + """
import urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None
key = json.loads(path.read_text(encoding="utf-8"))["default"]["api_key"]
request = urllib.request.Request(sys.argv[2], headers={"Authorization": "Bearer " + key, "User-Agent": "civitdl"})
try:
    with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
        print("status=" + str(answer.status))
except urllib.error.HTTPError as error:
    print("status=" + str(error.code))
except OSError as error:
    print("problem=" + type(error).__name__)
"""
)

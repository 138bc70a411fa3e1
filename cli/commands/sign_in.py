"""`perdure open`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from cli.client import Client, Unreachable
from cli.output import print_line
from settings import STACK_FILE, load_settings, read_stack


class What(StrEnum):
    """What can be opened."""

    WEB = "web"
    FLOWER = "flower"


def open_(what: Annotated[What, typer.Argument(help="the web pages, or Flower")] = What.WEB) -> None:
    """Print a fresh sign-in link for the web pages; it works once, for ten minutes.

    For Flower: its address, its user, and the file that holds its password.

    Example:
      perdure open
      perdure open flower
    """
    if what is What.FLOWER:
        _tell_flower()
    else:
        print_line(sign_in_link(Client.find()))


def sign_in_link(client: Client, page: str = "") -> str:
    """A link that signs a browser in once, and goes on at this page, such as `/runs/ID`; unset: at the front.

    The code is in the fragment, which browsers send to nobody.
    """
    then = f"?next={quote(page)}" if page else ""
    return f"{client.url}/sign-in{then}#code={client.post('/auth/code')['code']}"


def _tell_flower() -> None:
    data_dir = load_settings(attach=False).data_dir
    known = read_stack(data_dir)
    if "flower_url" not in known:
        raise Unreachable(f"no Flower runs here: start the stack with `perdure up` (looked in {data_dir})")
    print_line(str(known["flower_url"]))
    print_line(f"user {known['flower_user']}; the password is flower_password in {data_dir / STACK_FILE}")

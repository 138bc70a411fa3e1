"""`perdure migrate`."""

from __future__ import annotations

import typer


def migrate() -> None:
    """Bring the database to this version's tables, and make the admin's token if there is none.

    `perdure up` does this by itself. The database is DATABASE_URL, or the one of a stack that runs here.

    Example:
      perdure migrate
    """
    from cli.migrate import main  # with SQLAlchemy, which the other commands need not wait for

    raise typer.Exit(main())

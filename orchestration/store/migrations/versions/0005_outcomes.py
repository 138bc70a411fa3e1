"""The rule for an attempt's outcome becomes a function too, for the reason given in 0004."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OUTCOMES = """
CREATE FUNCTION public.attempt_is_sound(outcome text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN outcome IN ('completed', 'failed', 'skipped', 'cancelled', 'waiting', 'lost', 'handed_back')
        OR public.refuse_row('attempts', 'attempts_outcome_check');
END $$;
ALTER TABLE attempts ADD CONSTRAINT attempts_are_sound CHECK (public.attempt_is_sound(outcome)) NOT VALID;
ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check;
"""


def upgrade() -> None:
    """Put the function's constraint in the place of the old one."""
    op.get_bind().exec_driver_sql(OUTCOMES)

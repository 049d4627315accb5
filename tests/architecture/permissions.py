"""`python -m tests.architecture.permissions`: writes docs/permissions.md from routes, pages and the one table."""

from collections.abc import Iterable
from pathlib import Path

from dashboards import navigation
from mychatflow.rules import role
from mychatflow.rules.role import Role
from realtime.api import router

PATH = Path(__file__).parents[2] / "docs" / "permissions.md"
_ROLES = (Role.OWNER, Role.ADMIN, Role.AGENT, Role.VIEWER)
_HEAD = """# Who may do what

Written from the code by `python -m tests.architecture.permissions`; a test compares. A route or page without a rule
cannot exist. API keys hold a role, narrowed by scopes: a scope is one of the permissions below. The command line has no
roles: whoever runs it holds the database and the master key, and what it changes is on record as the operator's.
"""


def page() -> str:
    """The whole document."""
    routes = sorted(
        (route.path.removeprefix("/api/v1"), method, route.permission.value)
        for family in router.FAMILIES
        for route in family.routes
        for method in route.methods
    )
    lines = [_HEAD, "## Permissions", "", *_header("permission")]
    lines += [f"| `{each.value}` | {_marks(role.may(held, each) for held in _ROLES)} |" for each in role.Permission]
    lines += ["", "## Routes under /api/v1", "", *_header("route", "permission")]
    for path, method, permission in routes:
        marks = _marks(role.may(held, role.Permission(permission)) for held in _ROLES)
        lines.append(f"| `{method} {path}` | `{permission}` | {marks} |")
    lines += ["", "## Pages", "", *_header("page")]
    for place in navigation.PLACES:
        is_staffs = place.least == "staff"
        marks = _marks(not is_staffs and role.is_at_least(held, Role(place.least)) for held in _ROLES)
        lines.append(f"| {place.title}{' (platform staff)' if is_staffs else ''} | {marks} |")
    return "\n".join(lines) + "\n"


def _header(*names: str) -> list[str]:
    columns = [*names, *(held.value for held in _ROLES)]
    return [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]


def _marks(opens: Iterable[bool]) -> str:
    return " | ".join("yes" if each else "–" for each in opens)


if __name__ == "__main__":
    PATH.write_text(page())

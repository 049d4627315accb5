"""What `up` shows: one table of addresses, then every process as it stands."""

import time
from collections.abc import Collection, Sequence

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mychatflow.local.programs import Program
from mychatflow.local.supervisor import Supervised, Supervisor

_WHAT_IT_IS = {
    "phone": "write as a customer",
    "dashboards": "chats, leads, numbers",
    "web": "webhook and API",
    "docs": "the API, page by page",
    "dagster": "where numbers come from",
}
_LOOKS = {
    "up": ("●", "green"),
    "starting": ("○", "yellow"),
    "waiting": ("●", "red"),
    "failed": ("●", "red"),
    "done": ("●", "green"),
    "stopped": ("○", "dim"),
}


def addresses(running: Sequence[Program]) -> Table:
    """The one table of addresses; the page a person wants first stands first."""
    found = {program.name: program.address for program in running if program.address}
    if "web" in found:
        found["docs"] = f"{found['web']}/api/docs"
    table = Table(title="MyChatFlow is up", title_justify="left", title_style="bold", header_style="bold", box=None)
    for column in ("what", "address", "for"):
        table.add_column(column)
    for name, line in _WHAT_IT_IS.items():
        if name in found:
            table.add_row(name, str(found[name]), line)
    return table


def processes(supervisor: Supervisor, answering: Collection[str], running: Sequence[Program]) -> Group:
    """Every process: state, pid, how long it has been up, how often it was started again."""
    asked = {program.name for program in running if program.is_asked}
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("process", "state", "pid", "up for", "restarts"):
        table.add_column(column, justify="left" if column in {"process", "state"} else "right")
    for name, member in supervisor.members.items():
        word = state_of(member, is_answering=name in answering or name not in asked)
        mark, style = _LOOKS[word]
        is_live = member.pid is not None
        table.add_row(
            escape(name),
            Text(f"{mark} {word}", style=style),
            str(member.pid or "–"),
            _lasting(time.monotonic() - member.started_at) if is_live else "–",
            str(member.restarts or "–"),
        )
    return Group(table, Text("Ctrl-C stops everything.", style="dim"))


def state_of(member: Supervised, *, is_answering: bool) -> str:
    """A process that runs but does not answer yet is still starting."""
    if member.state in {"starting", "up"}:
        return "up" if is_answering and member.pid is not None else "starting"
    return member.state


def _lasting(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

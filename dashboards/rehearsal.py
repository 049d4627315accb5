"""What the first page of a process would otherwise do while its viewer waits: done once, before anybody is let in."""

import gc
import importlib
import inspect
from contextlib import suppress
from typing import Final
from uuid import UUID

import plotly.io

from dashboards import operational
from mychatflow.store import viewers
from mychatflow.store.session import AWAY
from warehouse import models, reads
from warehouse.reader import NothingPublished

_MODULES: Final = (
    "PIL.Image",
    "PIL.ImageFile",
    "numpy.ma",
    "packaging.tags",
    "plotly.graph_objs._figure",
    "plotly.io._json",
    "plotly.tools",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "streamlit.emojis",
    "streamlit.material_icon_names",
    "dashboards.navigation",
)
_NOBODY: Final = UUID(int=0)


def rehearse() -> None:
    """Modules, files and connections; a database that is away now is met again by who needs it."""
    for module in _MODULES:
        importlib.import_module(module)
    # What every number is made of is read from its files once.
    models.discover()
    # Figures bring their whole look; merging the default template into each would cost more than drawing it.
    plotly.io.templates.default = "none"
    # Streamlit asks once for the stack of its first call, and Python then looks up the file of every module there is.
    inspect.stack()
    with suppress(*AWAY, OSError):
        operational.bridge().across_tenants(viewers.all_workspaces)
    with suppress(NothingPublished):
        reads.as_of(_NOBODY)


def settle() -> None:
    """Streamlit collects garbage after every run of a page: what start-up made lives on, and is not looked at again."""
    gc.collect()
    gc.freeze()

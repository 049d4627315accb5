"""No cache can hand one business the numbers of another: shown on the source of every cached function."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_DASHBOARDS = Path(__file__).parents[2] / "dashboards"
# Platform-wide numbers have no tenant; only the operations pages may read them.
_PLATFORM = _DASHBOARDS / "ops" / "data.py"
_TENANT = _DASHBOARDS / "data.py"


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def _cached(path: Path, kind: str) -> list[ast.FunctionDef]:
    return [
        node for node in _functions(path) if any(f"cache_{kind}" in ast.unparse(item) for item in node.decorator_list)
    ]


def test_every_cached_read_begins_with_its_tenant() -> None:
    cached = _cached(_TENANT, "data")

    assert len(cached) > 15
    for function in cached:
        assert function.args.args[0].arg == "tenant_id", function.name


def test_no_parameter_escapes_the_cache_key() -> None:
    # Streamlit leaves parameters with an underscore out of the key.
    for function in (*_cached(_TENANT, "data"), *_cached(_PLATFORM, "data")):
        names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        assert not [name for name in names if name.startswith("_")], function.name


def test_cached_code_knows_nothing_of_the_session() -> None:
    for path in (_TENANT, _PLATFORM):
        source = path.read_text(encoding="utf-8")
        for word in ("session_state", "st.user", "st.context", "query_params"):
            assert word not in source, f"{path.name} reads {word}"


def test_every_cached_read_states_its_time_and_size() -> None:
    for function in (*_cached(_TENANT, "data"), *_cached(_PLATFORM, "data")):
        written = " ".join(ast.unparse(item) for item in function.decorator_list)
        assert "ttl=" in written, function.name
        assert "max_entries=" in written, function.name


def test_only_the_data_modules_cache_anything() -> None:
    for path in _DASHBOARDS.rglob("*.py"):
        if path not in {_TENANT, _PLATFORM}:
            assert not _cached(path, "data"), path.name
    resources = [path.name for path in _DASHBOARDS.rglob("*.py") if _cached(path, "resource")]
    assert resources == ["operational.py"]


@pytest.mark.parametrize("path", sorted((_DASHBOARDS / "tenant").glob("*.py")), ids=lambda path: path.name)
def test_tenant_pages_read_no_platform_numbers(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    assert "ops_reads" not in source
    assert "dashboards.ops" not in source
    assert "across_tenants" not in source


def test_message_text_stays_in_no_cache() -> None:
    cached = {function.name for function in _cached(_TENANT, "data")}

    assert not cached.intersection({"chat", "last_messages", "inbox", "workspaces_of", "all_workspaces"})

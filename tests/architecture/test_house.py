"""The shape of the house: what a review would say again and again, said once and checked."""

import ast
import functools
import importlib.util
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mychatflow.local.commands import config

ROOT = Path(__file__).parents[2]
PACKAGES = ("mychatflow", "realtime", "pipelines", "warehouse", "dashboards")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CODE = [path for path in MODULES if path.name != "__init__.py"]
LONGEST_FILE, LONGEST_FUNCTION, SHORTEST_SENTENCE = 300, 50, 15


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _committed() -> list[Path]:
    """What git has or would add: never data, environments or caches."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_shared_package_is_a_closed_list():
    found = {path.name for path in (ROOT / "mychatflow").iterdir() if path.name != "__pycache__"}

    assert found == {
        "__init__.py", "__main__.py", "settings.py", "events.py", "identity.py", "cli.py", "rules", "store", "local",
    }  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_come_from_this_checkout(package):
    spec = importlib.util.find_spec(package)

    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)


def test_every_module_says_what_it_is_for():
    said = {_name(path): (ast.get_docstring(_tree(path)) or "").partition("\n")[0] for path in CODE}

    assert [name for name, sentence in said.items() if len(sentence) <= SHORTEST_SENTENCE] == []


def test_files_stay_short():
    assert [_name(path) for path in CODE if len(path.read_text().splitlines()) > LONGEST_FILE] == []


def test_functions_stay_short():
    functions = [
        (path, node)
        for path in CODE
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [
        f"{_name(path)}: {node.name}"
        for path, node in functions
        if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ] == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=_name)
def test_packages_export_nothing_again(path):
    assert not path.read_text().strip()


def test_settings_alone_reads_the_environment():
    reader = re.compile(r"\bos\.(environ\b|getenv\()")

    readers = {_name(path) for path in CODE if reader.search(path.read_text())}

    assert readers == {"mychatflow/settings.py"}


def test_the_example_environment_is_generated():
    assert (ROOT / ".env.example").read_text() == config.dotenv_example()


def test_dashboards_shadow_no_other_module():
    # Streamlit puts this folder first on sys.path, so a charts.py would win over a library called charts.
    installed = {name for names in (metadata.packages_distributions(), sys.stdlib_module_names) for name in names}
    files = [path for path in (ROOT / "dashboards").iterdir() if path.suffix == ".py" or path.is_dir()]
    ours = {path.stem for path in files} - {"__init__", "__pycache__"}

    assert ours & installed == set()
    assert "pages" not in ours


def test_committed_files_name_no_machine_and_no_registry():
    # Put together here, so that this file does not name them either.
    forbidden = [
        "/".join(("", "work", "")), "/".join(("", "root", "")), ".".join(("pypi", "org")),
        "".join(("python", "hosted", ".org")), "-".join(("--index", "url=")),
    ]  # fmt: skip
    texts = [path for path in _committed() if path.suffix not in {".png", ".woff2", ".svg", ".duckdb", ".parquet"}]

    guilty = [
        f"{_name(path)}: {word}" for path in texts for word in forbidden if word in path.read_text(errors="replace")
    ]

    assert guilty == []


def test_nothing_is_left_for_later():
    later = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XXX)\b|NotImplemented" + "Error")

    assert [_name(path) for path in CODE if later.search(path.read_text())] == []

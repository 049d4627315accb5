"""`mychatflow config`: the settings as they are, what is wrong with them, and an example to start from."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource

from mychatflow.local import console, safety
from mychatflow.local.commands import loading
from mychatflow.settings import ConfigurationRefused, Settings

app = typer.Typer(no_args_is_help=True, add_completion=False)
# What stands between `://` and `@` of an address.
_WITHOUT_LOGIN = re.compile(r"(://)[^/@\s]+@")
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.callback()
def _group() -> None:
    """Show the settings, check them, or print an example .env."""


@app.command()
def show(as_json: _Json = False) -> None:
    """Every setting as it is in force; secrets are masked."""
    settings = loading.settings()
    values = {variable(name): _masked(getattr(settings, name)) for name in Settings.model_fields}
    if as_json:
        console.give_json(values)
    else:
        console.give_record(values)


@app.command()
def check(as_json: _Json = False) -> None:
    """Say what is wrong; exit code 78 when a program would refuse to start."""
    settings = loading.settings()
    for name, meant in misspelt(Path(str(Settings.model_config.get("env_file")))):
        console.say(f"{name} in .env is no setting and changes nothing: {meant} may be meant")
    reasons = safety.reasons(settings)
    if as_json:
        console.give_json({"ok": not reasons, "environment": settings.env, "refused": reasons})
    if reasons:
        raise loading.refusal(ConfigurationRefused("\n".join(reasons)))
    if not as_json:
        console.out.print(f"ok: nothing wrong with these settings ({settings.env})", highlight=False)


@app.command()
def example() -> None:
    """Print .env.example: every variable with its meaning and its default."""
    print(dotenv_example(), end="")


def dotenv_example() -> str:
    """The committed .env.example, word for word."""
    lines = [
        "# Every setting of MyChatFlow. Copy to .env and uncomment what you change.",
        "# Generated from mychatflow/settings.py by `mychatflow config example`; do not edit.",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        lines += ["", f"# {field.description}", f"# {variable(name)}={'' if default is None else default}"]
    return "\n".join(lines) + "\n"


def misspelt(file: Path) -> list[tuple[str, str]]:
    """Names in that file that are no settings and much like one. Others belong to others, as Compose's passwords do."""
    known = [variable(field) for field in Settings.model_fields]
    written = [name.upper() for name in DotEnvSettingsSource(Settings, env_file=file).env_vars]
    found = [name for name in written if name not in known]
    return [(name, like[0]) for name in found if (like := difflib.get_close_matches(name, known, n=1, cutoff=0.85))]


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return str(Settings.model_fields[field].validation_alias or field.upper())


def _masked(value: Any) -> Any:
    match value:
        case SecretStr():
            return "********"
        case str():
            return _WITHOUT_LOGIN.sub(r"\1********@", value)
        case None | bool() | int():
            return value
        case _:
            return str(value)

"""What every command begins with: settings that hold, or an error that helps."""

from mychatflow import settings as configuration
from mychatflow.local.console import REFUSED, Failure
from mychatflow.settings import ConfigurationRefused, Settings


def settings() -> Settings:
    """The settings of this environment; raises Failure (78)."""
    try:
        return configuration.load()
    except ConfigurationRefused as refused:
        raise refusal(refused) from refused


def refusal(refused: ConfigurationRefused) -> Failure:
    return Failure(str(refused), next_step="correct it, then: mychatflow config check", exit_code=REFUSED)

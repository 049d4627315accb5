"""Ends in Dagster's memory the runs of commands that were killed: no server looks after those, so none would tell."""

import os
import socket

import dagster as dg
import psutil

_MACHINE_TAG = "mychatflow/machine"
_PROCESS_TAG = "mychatflow/process"
_UNENDED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED]
_CAUSE = "its process was killed; the same command again goes on"


def tags() -> dict[str, str]:
    """Which process a command's run lives in, for the run's tags."""
    return {_MACHINE_TAG: socket.gethostname(), _PROCESS_TAG: _named(psutil.Process(os.getpid()))}


def end(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed each run whose process on this machine is gone; their ids. Safe to repeat."""
    begun = dg.RunsFilter(statuses=_UNENDED, tags={_MACHINE_TAG: socket.gethostname()})
    dead = [run for run in instance.get_runs(begun) if not _lives(run.tags[_PROCESS_TAG])]
    for run in dead:
        instance.report_run_failed(run, _CAUSE)
    return [run.run_id for run in dead]


def _lives(name: str) -> bool:
    try:
        return _named(psutil.Process(int(name.partition("@")[0]))) == name
    except psutil.NoSuchProcess:
        return False


def _named(process: psutil.Process) -> str:
    # A number is given to another process one day; not with the same birth.
    return f"{process.pid}@{process.create_time():.0f}"

"""A Postgres whose cable is pulled is given up in half a minute, by whoever waits for it or asks it."""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mychatflow.local import setup
from mychatflow.settings import Settings
from tests.chaos.cluster import CHECKOUT
from tests.scale import network, servers

pytestmark = [
    pytest.mark.skipif(not network.is_possible(), reason="needs the administrator of a Linux with iproute2"),
    pytest.mark.timeout(300),
]


def test_a_postgres_that_falls_silent_is_given_up_in_half_a_minute():
    with (
        tempfile.TemporaryDirectory(prefix="mcf-cable-", ignore_cleanup_errors=True) as directory,
        network.machines(31) as (machine,),
        servers.postgres(Path(directory) / "postgres", host=network.HOST, network="10.77.0.0/24") as database,
    ):
        master_key = os.urandom(32).hex()
        ours = {"MYCHATFLOW_DATA_DIR": directory, "MYCHATFLOW_MASTER_KEY": master_key, "DATABASE_URL": database}
        setup.migrate(Settings(_env_file=None, **ours), today=datetime.now(UTC).date())
        command = [*machine.prefix, sys.executable, "-m", "tests.scale.silent"]
        asking = subprocess.Popen(command, env=os.environ | ours, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        assert asking.stdout is not None
        assert asking.stdout.readline() == "asking\n"

        machine.cut()

        waited = json.loads(asking.communicate(timeout=120)[0])
        assert max(waited.values()) < 40, waited

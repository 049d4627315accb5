"""Lines of programs that we only start are JSON objects too, and no more talkative than ours."""

import json
import subprocess
import sys
from pathlib import Path

from mychatflow.local.json_lines import written

CHECKOUT = Path(__file__).parents[2]


def test_any_line_becomes_an_object():
    lines = [
        b"  You can now view your Streamlit app\n",
        b"\n",
        b'{"level":"INFO","message":"Serving","timestamp":"2026-11-24T12:00:00","phone":"+34600123456"}\n',
        b'{"event":"launched","level":"warning"}\n',
        b"42\n",
        b'Traceback of ann@example.test\xff "quoted"\n',
    ]

    found = [json.loads(line) for line in written(lines, "dagster")]

    assert [each["message"] for each in found] == [
        "You can now view your Streamlit app",
        "Serving",
        "launched",
        "42",
        'Traceback of [redacted]\ufffd "quoted"',
    ]
    assert [each["level"] for each in found] == ["info", "info", "warning", "info", "info"]
    assert {each["process"] for each in found} == {"dagster"}
    assert found[1]["phone"] == "[redacted]"


def test_a_program_and_its_children_write_through_it(tmp_path):
    script = (
        "import os, subprocess, sys\n"
        "from mychatflow.local import json_lines\n"
        "json_lines.put_before('dashboards')\n"
        "print('plain', flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import sys; sys.stderr.write(\"child +34600123456\\\\n\")'])\n"
    )
    log = tmp_path / "program.log"
    with log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-c", script], cwd=CHECKOUT, stdout=output, stderr=output, check=True, timeout=60
        )
        # The writer ends with the last of those that write to it.
        subprocess.run(["sh", "-c", f"until [ $(wc -l < {log}) -ge 2 ]; do sleep 0.1; done"], check=True, timeout=60)

    found = [json.loads(line) for line in log.read_text().splitlines()]

    assert {each["message"] for each in found} == {"plain", "child [redacted]"}

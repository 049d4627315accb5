"""What the doctor says: of a gateway that lets strangers in, of a frozen server, of alerts nobody hears."""

import http.server
import os
import signal
import threading
import time

import psycopg
import pytest
import redis
from pydantic import SecretStr

from mychatflow.local import checkup
from mychatflow.local.redis import EmbeddedRedis
from mychatflow.settings import Settings

KEY = "key-of-the-gateway"


@pytest.fixture
def found(settings):
    """The doctor's findings on a gateway that answers like this, by check and verdict."""

    def looked_at(*, to_strangers, to_us=200, date=None):
        class Gateway(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(to_us if self.headers["x-api-key"] == KEY else to_strangers)
                self.end_headers()
                self.wfile.write(b"[]")

            def date_time_string(self, timestamp=None):
                return date or super().date_time_string(timestamp)

            def log_message(self, *said):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = {"waha_base_url": f"http://127.0.0.1:{server.server_port}", "waha_api_key": SecretStr(KEY)}
            findings = checkup.gateway(settings.model_copy(update=address))
            server.shutdown()
        return {(each.check, each.verdict) for each in findings}

    return looked_at


def test_a_gateway_open_to_everybody_fails_the_doctor(found):
    assert ("gateway", "failed") in found(to_strangers=200)
    assert ("gateway", "ok") in found(to_strangers=401)


def test_a_key_that_is_refused_fails_the_doctor(found):
    assert ("gateway", "failed") in found(to_strangers=401, to_us=403)


def test_a_gateway_of_another_hour_fails_the_doctor(found):
    assert ("clock", "ok") in found(to_strangers=401)
    assert ("clock", "failed") in found(to_strangers=401, date="Thu, 01 Jan 2026 00:00:00 GMT")


@pytest.mark.parametrize(
    ("env", "people", "verdict"),
    [("production", None, "warning"), ("production", "ops@example.test", "ok"), ("development", None, "ok")],
)
def test_alerts_that_nobody_hears_of_are_named(settings, env, people, verdict):
    [found] = checkup.alert_mail(settings.model_copy(update={"env": env, "alert_emails": people}))

    assert (found.verdict, "ALERT_EMAILS" in found.detail) == (verdict, True)


def test_a_frozen_redis_is_not_told_to_be_started(tmp_path):
    settings = Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path)
    [missing] = checkup.redis_server(settings)
    server = EmbeddedRedis(settings)
    frozen = server.launch()
    try:
        server.finish_start()
        frozen.send_signal(signal.SIGSTOP)
        [silent] = checkup.redis_server(settings)
    finally:
        frozen.send_signal(signal.SIGCONT)
        server.stop()

    assert (missing.verdict, missing.next_step) == ("down", "mychatflow up")
    assert silent.verdict == "down"
    assert f"kill -9 {frozen.pid}" in silent.next_step


async def test_what_fires_is_told_with_what_to_do(settings, store):
    with psycopg.connect(settings.role_url("engine"), autocommit=True) as connection:
        firing = "insert into alerts (rule, subject, severity, fired_at) values ('breaker_open', %s, 'warning', now())"
        connection.execute(firing, ("doctor-test",))
        try:
            [told] = [each for each in checkup.alerts(settings) if "doctor-test" in each.detail]
        finally:
            connection.execute("delete from alerts where subject = 'doctor-test'")

    assert told.verdict == "warning"
    assert "provider" in told.next_step


def test_a_worker_that_shows_no_life_is_down(settings, tmp_path):
    settings = settings.model_copy(update={"data_dir": tmp_path, "workers": 3})
    (tmp_path / "run").mkdir()
    for index, age in ((1, 0), (2, 90)):
        touched = tmp_path / "run" / f"worker-{index}.alive"
        touched.touch()
        os.utime(touched, (time.time() - age,) * 2)

    found = {each.check: each.verdict for each in checkup.processes(settings) if each.check.startswith("worker")}

    # The third runs elsewhere, or never did here.
    assert found == {"worker-1": "ok", "worker-2": "down"}


@pytest.mark.parametrize(("forbidden", "verdict"), [("-set", "failed"), ("-info", "ok")])
def test_a_redis_that_refuses_what_we_need_fails_the_doctor(settings, redis_url, forbidden, verdict):
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("acl", "setuser", "lesser", "on", ">pw", "~*", "&*", "+@all", forbidden)
        served = client.connection_pool.connection_kwargs["path"]
    lesser = settings.model_copy(update={"redis_url": SecretStr(f"unix://lesser:pw@{served}")})

    [found] = checkup.redis_server(lesser)

    assert (found.verdict, "no permissions" in found.detail) == (verdict, verdict == "failed")


def test_a_pooler_before_postgres_is_told(settings, postgres):
    assert "pooler" not in {found.check for found in checkup.postgres(settings)}
    # Poolers make up what they say at the login.
    [found] = checkup.pooler(1, (2,))
    assert found.verdict == "warning"

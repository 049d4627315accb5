"""The short version of `python -m tests.deploy.rollout` that every commit passes."""

import pytest

from tests.deploy import release, rollout


@pytest.mark.journey
@pytest.mark.timeout(300)
async def test_the_next_release_takes_over_without_losing_or_doubling_a_message():
    try:
        old = release.before_the_newest_migration()
    except release.NoHistory as missing:
        pytest.skip(f"this checkout has no history to take the older release from: {missing}")

    outcome = await rollout.run(old, messages=30)

    assert outcome.holds, str(outcome)

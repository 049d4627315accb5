import pytest

# So that a failing scenario shows what was found beside what was wanted.
pytest.register_assert_rewrite("tests.scenarios.stage")

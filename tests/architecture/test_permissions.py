"""The page that says who may do what says what the code does."""

from tests.architecture import permissions


def test_the_matrix_of_roles_is_the_codes_own():
    # Write it anew with: python -m tests.architecture.permissions
    assert permissions.PATH.read_text() == permissions.page()

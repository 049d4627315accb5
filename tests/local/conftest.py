"""What the rooms of one installation share: a place that is backed up and brought back."""

from tests.local.backups import place, taken

__all__ = ["place", "taken"]

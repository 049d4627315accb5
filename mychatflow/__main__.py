"""`python -m mychatflow` is the `mychatflow` command."""

from mychatflow import cli

if __name__ == "__main__":
    cli.main()

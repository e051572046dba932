"""The command line, thin over the public API."""

from funnelnlp.cli.main import main

__all__ = ["main"]

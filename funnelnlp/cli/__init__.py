"""The command line, thin over the public API."""

from funnelnlp.cli.main import main
from funnelnlp.cli.report import report

main.add_command(report)

__all__ = ["main"]

"""The report that a person reads: one offline page, and its tables as files."""

from funnelnlp.report.page import write_report
from funnelnlp.report.tables import write_tables

__all__ = ["write_report", "write_tables"]

"""Reading and writing transcripts: one frame shape, one file per format."""

from funnelnlp.transcripts.files import (
    ReadResult,
    load_transcripts,
    read_transcripts,
    write_transcripts,
)
from funnelnlp.transcripts.frame import CHINESE_COLUMNS, to_records

__all__ = ["CHINESE_COLUMNS", "ReadResult", "load_transcripts", "read_transcripts", "to_records", "write_transcripts"]

"""``python -m funnelnlp`` is the command line."""

from funnelnlp.cli import main

main()

"""Behavioural tests of the bundled model after CheckList (Ribeiro et al. 2020).

`invariance` rewrites the turns of data/heldout in ways that change no label, `directional` adds words to
hand-written turns whose effect on the label is known. ``python -m tests.checklist`` prints both tables.
"""

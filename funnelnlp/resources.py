"""Find the files that come with the library, in an installed wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path


def bundled(relative: str) -> Path:
    """Return the path of a bundled file or folder.

    Parameters
    ----------
    relative : str
        Path below the top level, such as ``"models/default"`` or ``"data/samples"``.

    Returns
    -------
    pathlib.Path
        The file inside the installed package or, in a checkout (editable installs do not see the
        files that the wheel adds), beside the package.

    Raises
    ------
    FileNotFoundError
        When neither place has it.

    Examples
    --------
    >>> bundled("data/samples").is_dir()
    True
    """
    package = Path(__file__).resolve().parent
    for root in (package, package.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(f"{relative} came neither with the package in {package} nor with a checkout beside it")

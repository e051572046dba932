"""Model folders: ``model.json`` with facts and checksums, plain arrays and lists beside it. No pickle.

A change of the format raises `FORMAT`, keeps a reader for the old number and adds a small folder of the
old format to the tests.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from funnelnlp.errors import FunnelError, ModelError
from funnelnlp.features import EncoderSettings, TurnEncoder
from funnelnlp.features.structure import STRUCTURE_NAMES
from funnelnlp.model.model import Model
from funnelnlp.model.transitions import Transitions
from funnelnlp.model.weights import Weights
from funnelnlp.taxonomy import Task
from funnelnlp.text import Lexicons

FORMAT = 1
_ARRAYS = ("own", "memory", "structure", "bias", "temperature", "idf", "transitions")
_PARTS = (*(f"{name}.npy" for name in _ARRAYS), "features.json")
_ALLOWED_BESIDE = {"model.json", "README.md"}


def save(model: Model, folder: str | Path) -> None:
    """Write a model to a folder, whole or not at all.

    Parameters
    ----------
    model : Model
    folder : str or pathlib.Path
        Made if missing. An existing model there is replaced once the new one is complete; a folder
        that holds anything else is refused.

    Raises
    ------
    ModelError
        When the folder exists and is not a model folder.
    """
    # A service that only loads a model does without these.
    import shutil
    import uuid

    folder = Path(folder)
    check_target(folder)
    encoder, transitions = model.encoder, model.transitions
    # Transitions between no labels stand for none.
    beside = {"idf": encoder.idf, "transitions": transitions.weights if transitions else np.zeros((0, 0, 0, 0), dtype=np.float32)}
    parts = {f"{name}.npy": _npy(array) for name, array in {**model.weights.arrays(), **beside}.items()}
    features = {
        "words": encoder.words,
        "pairs": encoder.pairs,
        "chars": encoder.chars,
        "lexicons": encoder.lexicons.classes,
    }
    parts["features.json"] = json.dumps(features, ensure_ascii=False, separators=(",", ":")).encode()
    head = {
        "format": FORMAT,
        "tasks": [task.to_dict() for task in model.tasks],
        "encoder": encoder.settings.to_dict(),
        "lexicons_sha256": encoder.lexicons.digest,
        "structure": list(STRUCTURE_NAMES),
        "transitions": transitions.names if transitions else [],
        "info": model.info,
        "parts": {name: {"sha256": _digest(data), "bytes": len(data)} for name, data in sorted(parts.items())},
    }
    head["sha256"] = _head_digest(head)
    parts["model.json"] = (json.dumps(head, ensure_ascii=False, indent=1) + "\n").encode()
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}")
    temporary.mkdir()
    try:
        for name, data in parts.items():
            (temporary / name).write_bytes(data)
        if (folder / "README.md").is_file():
            shutil.copy2(folder / "README.md", temporary / "README.md")
        if folder.exists():
            retired = temporary.with_suffix(".old")
            os.replace(folder, retired)
            os.replace(temporary, folder)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_target(folder: Path) -> None:
    """Refuse a folder that a model cannot be saved to; makes the folder above it.

    Raises
    ------
    ModelError
        When the folder exists and is not a model folder, or cannot be made.
    """
    if folder.exists() and not (folder.is_dir() and _only_model_files(folder)):
        raise ModelError(f"{folder} exists and is not a model folder: choose another one, nothing was written")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{folder} cannot be made ({error.strerror})") from None
    if not os.access(folder.parent, os.W_OK):
        raise ModelError(f"{folder} cannot be made: {folder.parent} is not writable")


def load(folder: str | Path) -> Model:
    """Read a model from a folder after checking every part of it; no code in it is ever run.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        When the folder is not a model, a part is missing or altered or holds pickled objects, or the
        format is newer than this version of the library reads. The message says which.
    """
    folder = Path(folder)
    try:
        head = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except OSError:
        raise ModelError(f"{folder} is not a model folder: it has no readable model.json") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{folder / 'model.json'} is damaged: {error}") from None
    number = head.get("format") if isinstance(head, dict) else None
    if type(number) is not int or number < 1:
        raise ModelError(f"{folder / 'model.json'} has no format number: this is not a funnelnlp model")
    if number > FORMAT:
        raise ModelError(f"{folder} has model format {number}, this version of funnelnlp reads up to {FORMAT}: upgrade funnelnlp")
    if head.get("sha256") != _head_digest(head):
        raise ModelError(f"{folder / 'model.json'} does not match its own checksum: it is damaged or was altered")
    strangers = sorted(p.name for p in folder.iterdir() if p.name not in {*_PARTS, *_ALLOWED_BESIDE})
    if strangers:
        raise ModelError(f"{folder} holds {strangers}, which no model has; refused without opening them")
    listed = head.get("parts")
    if not isinstance(listed, dict):
        raise ModelError(f"{folder / 'model.json'} is damaged: it lists no parts")
    try:
        # One after the other, so that no two copies of all are in memory.
        arrays = {n: _array(_read_part(folder / f"{n}.npy", listed.get(f"{n}.npy")), folder / f"{n}.npy") for n in _ARRAYS}
        features = json.loads(_read_part(folder / "features.json", listed.get("features.json")))
        lexicons = Lexicons(features["lexicons"])
        if lexicons.digest != head["lexicons_sha256"]:
            raise ModelError(f"{folder}: the lexicons do not match their checksum in model.json")
        if head["structure"] != list(STRUCTURE_NAMES):
            raise ModelError(f"{folder} was made with other structure features than this version has: train it again")
        encoder = TurnEncoder(
            EncoderSettings.from_dict(head["encoder"]),
            lexicons,
            features["words"],
            features["pairs"],
            features["chars"],
            arrays.pop("idf"),
        )
        tasks = tuple(Task.from_dict(task) for task in head["tasks"])
        between = arrays.pop("transitions")
        transitions = Transitions.of(tasks, head["transitions"], between) if head["transitions"] else None
        model = Model(tasks, encoder, Weights(**arrays), head["info"], transitions)
        _check_shapes(model, folder)
    except ModelError:
        raise
    except FunnelError as error:
        raise ModelError(f"{folder} is damaged: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise ModelError(f"{folder} is damaged: {type(error).__name__}: {error}") from None
    return model


def _only_model_files(folder: Path) -> bool:
    return {p.name for p in folder.iterdir()} <= {*_PARTS, *_ALLOWED_BESIDE}


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _head_digest(head: dict[str, Any]) -> str:
    content = {key: value for key, value in head.items() if key != "sha256"}
    return _digest(json.dumps(content, ensure_ascii=False, sort_keys=True).encode())


def _read_part(path: Path, listed: Any) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:
        raise ModelError(f"model part {path} is missing or cannot be read") from None
    if path.suffix == ".npy":
        _refuse_pickle(data, path)
    if not isinstance(listed, dict) or listed.get("sha256") != _digest(data):
        raise ModelError(f"model part {path} does not match its checksum in model.json: it is damaged or was altered")
    return data


def _refuse_pickle(data: bytes, path: Path) -> None:
    if data[:1] == b"\x80":
        raise ModelError(f"model part {path} is a pickle; pickles can run code and are never opened")
    try:
        stream = io.BytesIO(data)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype = read(stream)[2]
    except (ValueError, TypeError, SyntaxError, EOFError):
        return  # not readable as an array at all: the checksum or the array reader will say so
    if dtype.hasobject:
        raise ModelError(f"model part {path} holds pickled Python objects; they can run code and are never opened")


def _array(data: bytes, path: Path) -> Any:
    try:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ModelError(f"model part {path} cannot be read as an array: {error}") from None


def _check_shapes(model: Model, folder: Path) -> None:
    encoder, weights = model.encoder, model.weights
    k = sum(len(task.labels) for task in model.tasks)
    arrays = weights.arrays()
    expected: dict[str, tuple[int, ...]] = {
        "own": (encoder.n_features, k),
        "memory": (encoder.n_context, 2 * k),
        "structure": (len(STRUCTURE_NAMES), k),
        "bias": (k,),
        "temperature": (k,),
    }
    if model.transitions and (made := Transitions.of(model.tasks, model.transitions.names)):
        arrays["transitions"], expected["transitions"] = model.transitions.weights, made.weights.shape
    for name, array in arrays.items():
        if array.shape != expected[name] or array.dtype != np.float32:
            raise ModelError(
                f"model part {folder / name}.npy has shape {array.shape} and type {array.dtype}, "
                f"expected {expected[name]} of float32"
            )
    if encoder.idf.shape != (len(encoder.words) + len(encoder.pairs) + len(encoder.chars),):
        raise ModelError(f"model part {folder / 'idf.npy'} does not fit the features listed in features.json")

"""Whether a checkpoint is of this very call: fingerprints of all that its numbers depend on."""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import Any

import numpy as np

from .. import __version__
from .._errors import BadInput
from .._progress import AbstractCheckpoint
from .._result import plain
from . import system_name
from .base import ReactionDiffusion


def fingerprint(cls: type[ReactionDiffusion], **settings: Any) -> np.ndarray:
    """What all numbers of a call depend on, the system's source and our version included, as one word: a checkpoint of
    another call has another."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        source = ""
    held = [__version__, system_name(cls), source, {name: repr(plain(value)) for name, value in settings.items()}]
    return np.array(hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest())


def same_call(kept: AbstractCheckpoint, word: np.ndarray) -> None:
    """Keep a call's fingerprint in its checkpoint, or raise `BadInput` where that holds another call's."""
    known = kept.kept("call")
    if known is not None and str(known["fingerprint"]) != str(word):
        rule = "must hold an interrupted call like this one"
        raise BadInput("resume", rule, "another system, setting or version", "Use another folder.")
    if known is None:
        kept.keep("call", fingerprint=word)

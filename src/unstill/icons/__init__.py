"""Artificial life heaps: pictures of one icon at random places and angles. Above `files`, which reads icons."""

from .draw import draw_icons
from .drawings import ICONS
from .icon import Icon
from .result import DrawnIcons

__all__ = ["ICONS", "DrawnIcons", "Icon", "draw_icons"]

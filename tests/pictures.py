"""Pictures as phones send them."""

import io
from typing import Any

from PIL import Image


def a_picture(
    width: int = 12, height: int = 8, *, format: str = "PNG", mode: str = "RGB", **more: Any
) -> bytes:
    """A small one of two colours: the left half red, the right half blue."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    out = io.BytesIO()
    image.convert(mode).save(out, format, **more)
    return out.getvalue()

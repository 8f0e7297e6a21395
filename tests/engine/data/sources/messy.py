"""A folder of images as people have them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

RED = (200, 30, 40)


def photo(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A small picture with some texture."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def jpeg_bytes(image: Image.Image) -> bytes:
    """A JPEG file in memory."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def messy_folder(root: Path, good: int = 12) -> Path:
    """Two classes, one with a space and an umlaut, and everything that lies about in real folders."""
    birds, cats = root / "Vögel klein", root / "cats"
    (birds / "2019" / "summer").mkdir(parents=True)
    cats.mkdir()
    for i in range(good):
        photo(i, (30 + i, 50 - i)).save(birds / "2019" / "summer" / f"bird {i}.jpg")
        photo(100 + i).save(cats / f"cat{i}.png")
    photo(1).convert("L").save(cats / "grey.PNG")
    photo(2).convert("RGBA").save(cats / "alpha.png")
    photo(3).convert("P").save(cats / "palette.gif")
    photo(4).convert("CMYK").save(cats / "print.JPG")
    Image.fromarray((np.arange(1200).reshape(30, 40) * 50).astype(np.uint16)).save(cats / "deep.png")
    photo(5).save(cats / "scan.tiff")
    (cats / "notes.txt").write_text("not an image")
    (cats / "meow.mp3").write_bytes(b"ID3")
    (cats / ".hidden.jpg").write_bytes(b"x")
    (cats / "Thumbs.db").write_bytes(b"x")
    (root / "__MACOSX").mkdir()
    (root / ".git").mkdir()
    (root / "README.md").write_text("about")
    (cats / "empty.jpg").write_bytes(b"")
    (cats / "torn.jpg").write_bytes(jpeg_bytes(photo(6, (200, 200)))[:900])
    (cats / "text.png").write_text("hello")
    (cats / "gone.jpg").symlink_to(root / "nowhere.jpg")
    (birds / "linked.jpg").symlink_to(birds / "2019" / "summer" / "bird 0.jpg")
    (birds / "loop").symlink_to(birds)
    return root

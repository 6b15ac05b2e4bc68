"""Writes the files of tests/data/fixtures: images with the pixels that Pillow decodes, and resizes that PyTorch computes.

Needs numpy, Pillow and torch. Run it by hand when a case is added; the tests read only what it wrote.
  python tests/data/make_fixtures.py
"""

import pathlib
import struct
import zlib

import numpy as np
import torch
from PIL import Image, PngImagePlugin

OUT = pathlib.Path(__file__).parent / "fixtures"
HEIGHT, WIDTH = 17, 23


def pattern(height, width, channels=3):
    """uint8 (height, width, channels); tests/data/helpers.h has the same formula."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((x * 7 + y * 13 + c * 31 + (x * y) % 11 * 5) % 256).astype(np.uint8)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(name, rows_of_passes, bits, color_type, interlace):
    raw = b"".join(b"\0" + row for rows in rows_of_passes for row in rows)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, color_type, 0, 0, interlace)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b"")
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def write_expected(name, pixels):
    (OUT / (name + ".rgb")).write_bytes(np.ascontiguousarray(pixels, dtype=np.uint8).tobytes())


def save(name, image, **options):
    image.save(OUT / name, **options)
    write_expected(name, np.asarray(Image.open(OUT / name).convert("RGB")))


def make_images():
    rgb = pattern(HEIGHT, WIDTH)
    image = Image.fromarray(rgb)
    alpha = Image.fromarray(pattern(HEIGHT, WIDTH, 4), "RGBA")
    save("rgb_420.jpg", image, quality=90, subsampling="4:2:0")
    save("rgb_422.jpg", image, quality=90, subsampling="4:2:2")
    save("progressive.jpg", image, quality=90, progressive=True, subsampling="4:4:4")
    save("gray.jpg", image.convert("L"), quality=90)
    save("cmyk.jpg", Image.fromarray(pattern(HEIGHT, WIDTH, 4), "CMYK"), quality=90)
    save("rgb.png", image)
    save("rgba.png", alpha)
    save("gray.png", image.convert("L"))
    save("gray_alpha.png", alpha.convert("LA"))
    save("one_bit.png", image.convert("1"))
    save("palette.png", image.quantize(13))
    save("palette_transparent.png", image.quantize(13), transparency=3)
    gamma = PngImagePlugin.PngInfo()
    gamma.add(b"gAMA", struct.pack(">I", 100000))
    save("gamma.png", image, pnginfo=gamma)
    save("lossy.webp", image, quality=80)
    save("lossless_alpha.webp", alpha, lossless=True, exact=True)
    save("rgb.bmp", image)
    save("palette.bmp", image.quantize(13))
    save("one_bit.bmp", image.convert("1"))

    deep = rgb.astype(np.uint16) * 256 + rgb[::-1]
    write_png("rgb16.png", [[row.astype(">u2").tobytes() for row in deep]], 16, 2, 0)
    write_expected("rgb16.png", rgb)
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    write_png("interlaced.png", [[row.tobytes() for row in rgb[y::dy, x::dx]] for y, x, dy, dx in adam7], 8, 2, 1)
    write_expected("interlaced.png", np.asarray(Image.open(OUT / "interlaced.png").convert("RGB")))


def make_resizes():
    for (h, w), (oh, ow) in [((13, 17), (7, 5)), ((9, 7), (21, 16)), ((37, 23), (16, 16)), ((5, 40), (11, 9)),
                             ((64, 48), (3, 2)), ((8, 8), (8, 3)), ((1, 1), (4, 5))]:
        pixels = pattern(h, w)
        planes = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
        resized = torch.nn.functional.interpolate(planes[None], size=(oh, ow), mode="bilinear", antialias=True,
                                                  align_corners=False)[0].numpy()
        in_float = np.stack([np.asarray(Image.fromarray(plane.numpy()).resize((ow, oh), Image.BILINEAR))
                             for plane in planes])
        in_bytes = np.asarray(Image.fromarray(pixels).resize((ow, oh), Image.BILINEAR)).transpose(2, 0, 1) / 255
        assert np.abs(in_float - resized).max() < 1e-6, "PyTorch and Pillow differ on floats"
        # Pillow rounds bytes after each of its two passes.
        assert np.abs(in_bytes - resized).max() <= 1 / 255, "PyTorch and Pillow differ on bytes"
        (OUT / f"resize_{h}x{w}_to_{oh}x{ow}.f32").write_bytes(resized.astype("<f4").tobytes())


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    make_images()
    make_resizes()

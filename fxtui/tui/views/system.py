"""What is told of the machine, the terminal and the run's paths, as pure functions to lines."""

from __future__ import annotations

from collections.abc import Sequence

from fxtui.machine.samples import GpuSample, MachineSample
from fxtui.text import numbers as formats
from fxtui.text.cells import fill
from fxtui.text.lines import Line, Piece, bar, fit, spark, spread, title
from fxtui.tui.terminal.traffic import TerminalUse

_GIB = 1024**3


def system_panel_lines(
    sample: MachineSample | None, cache: int | None, sent_per_second: float, width: int, height: int
) -> list[Line]:
    """Processor and memory, the first graphics processor's likewise, cache and disk. ``cache`` in bytes."""
    heading = title("System", (), ((f"screen {formats.size(round_figures(sent_per_second))}/s", "muted"),), width)
    gpu = sample.gpus[0] if sample and sample.gpus else None
    left = max(12, (width - 3) // 2)
    right = max(10, width - left - 3)
    lines: list[Line] = [heading]
    rows: list[tuple[Line, Line]] = [
        (
            _meter("cpu", sample.cpu if sample else None, left),
            _filled("ram", sample.ram_used if sample else None, sample.ram_total if sample else None, right),
        ),
        (
            _meter("gpu", gpu.use if gpu else None, left),
            _filled("mem", gpu.memory_used if gpu else None, gpu.memory_total if gpu else None, right),
        ),
        (
            (("cache ", "muted"), (formats.NONE if cache is None else formats.size(cache), "")),
            (("disk ", "muted"), (_free(sample), "")),
        ),
    ]
    lines += [fit((*fit(a, left), ("   ", ""), *fit(b, right)), width) for a, b in rows]
    return lines[:height]


def machine_lines(sample: MachineSample | None, history: Sequence[MachineSample], width: int) -> list[Line]:
    """The machine in full: processor with its cores, memory, this process, graphics processors, disk."""
    span = max(8, min(60, width - 44))
    lines: list[Line] = [title("Machine", (), (("every 2 s", "muted"),), width)]
    if sample is None:
        return [*lines, fit(((" measuring", "muted"),), width)]
    cpu = [it.cpu for it in history]
    lines.append(_row("cpu", sample.cpu, f"{len(sample.cores)} cores", _lately(cpu, span), width))
    cells: list[Piece] = [("   ", "")]
    per_line = max(1, (width - 3) // 24)
    for number, use in enumerate(sample.cores):
        cells += [(f"{number:>3} ", "muted"), *bar(use, 12), (f"{_percent(use)}   ", "")]
        if number % per_line == per_line - 1 or number == len(sample.cores) - 1:
            lines.append(fit(tuple(cells), width))
            cells = [("   ", "")]
    ram = [it.ram_used / max(it.ram_total, 1) for it in history]
    used = _of(sample.ram_used, sample.ram_total)
    lines.append(_row("ram", sample.ram_used / max(sample.ram_total, 1), used, _lately(ram, span), width))
    process = f"{formats.size(sample.process_memory)}, {sample.process_cpu:.1f} cores busy"
    lines.append(fit(((" fxtui ", "muted"), (process, "")), width))
    if not sample.gpus:
        lines.append(fit(((" gpu   ", "muted"), (formats.NONE, "")), width))
    for number, gpu in enumerate(sample.gpus):
        uses = [it.gpus[number].use or 0.0 for it in history if number < len(it.gpus)]
        lines += _gpu_lines(gpu, _lately(uses, span), width)
    disk = _free(sample)
    lines.append(fit(((" disk  ", "muted"), (disk, "")), width))
    return lines


def terminal_lines(use: TerminalUse, colors: str, size: tuple[int, int], width: int) -> list[Line]:
    """What goes over the line, and how often."""
    latency = formats.NONE if use.latency is None else f"{use.latency * 1e3:.1f} ms"
    share = use.cost / use.wait if use.wait else 0.0
    return [
        title("Terminal", (), ((f"{size[0]}x{size[1]}, {colors}", "muted"),), width),
        _fact("sent", f"{formats.size(round_figures(use.per_second))}/s, {formats.size(use.total)} in all", width),
        _fact("a write takes", latency, width),
        _fact("frame every", f"{use.wait:.2f} s", width),
        _fact("a frame costs", f"{use.cost * 1e3:.1f} ms, {share:.1%} of the time", width),
    ]


def path_lines(rows: Sequence[tuple[str, str]], name: str, width: int) -> list[Line]:
    """A section of names and what belongs to them, such as versions or paths."""
    return [title(name, (), (), width), *(_fact(key, value, width) for key, value in rows)]


def round_figures(value: float, figures: int = 2) -> int:
    """A whole number to so many figures, so that what is shown of a rate does not flicker."""
    return int(float(f"{value:.{figures - 1}e}"))


def _free(sample: MachineSample | None) -> str:
    return formats.NONE if sample is None or sample.disk_free is None else f"{formats.size(sample.disk_free)} free"


def _lately(values: Sequence[float], width: int) -> str:
    """The newest at the right, filled with blanks at the left."""
    return spark(values[-width:] if width > 0 else ()).rjust(width)


def _percent(use: float | None) -> str:
    return f"{formats.NONE:>4}" if use is None else f"{use:4.0%}"


def _of(used: int | None, total: int | None) -> str:
    if used is None or total is None:
        return formats.NONE
    return f"{used / _GIB:.1f}/{total / _GIB:4.1f} GiB"


def _meter(name: str, use: float | None, width: int) -> Line:
    room = max(3, width - len(name) - 6)
    return ((f"{name} ", "muted"), *bar(use or 0.0, room), (f" {_percent(use)}", ""))


def _filled(name: str, used: int | None, total: int | None, width: int) -> Line:
    text = _of(used, total)
    share = used / total if used is not None and total else 0.0
    return ((f"{name} ", "muted"), *bar(share, max(3, width - len(name) - 2 - len(text))), (f" {text}", ""))


def _row(name: str, use: float | None, figure: str, sparks: str, width: int) -> Line:
    left: Line = ((" " + fill(name, 6), "muted"), *bar(use or 0.0, 12), (f" {_percent(use)}  ", ""), (figure, ""))
    return spread(left, ((sparks, "accent"),), width)


def _gpu_lines(gpu: GpuSample, sparks: str, width: int) -> list[Line]:
    heat = formats.NONE if gpu.temperature is None else f"{gpu.temperature} °C"
    return [
        _row("gpu", gpu.use, f"{_of(gpu.memory_used, gpu.memory_total)}  {heat}", sparks, width),
        fit((("       ", ""), (gpu.name, "muted")), width),
    ]


def _fact(name: str, value: str, width: int) -> Line:
    return fit(((" " + fill(name, 14), "muted"), (value, "")), width)

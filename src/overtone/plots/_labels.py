"""Labels of axes and legends: short numbers, squared units, escaped names."""

from __future__ import annotations

import html
import math
import re

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def tick(value: float) -> str:
    """Format a short axis label: "0.01", "500", "2k", "1M", and a power of ten for longer numbers.

    Example:
        >>> tick(0.01), tick(2000)
        ('0.01', '2k')
    """
    for size, letter in _PREFIXES:
        if size <= abs(value) < 1e12:
            return f"{value / size:g}{letter}"
    if value == 0 or 1e-3 <= abs(value) < 1e3:
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = value / 10.0**exponent
    head = "" if math.isclose(mantissa, 1, rel_tol=1e-6) else f"{mantissa:.3g}·"
    return f"{head}10<sup>{str(exponent).replace('-', '−')}</sup>"


def squared(unit: str) -> str:
    """Return the unit of a mean square: "Pa²"; "value²" if values have no unit.

    Example:
        >>> squared("Pa"), squared("")
        ('Pa²', 'value²')
    """
    return f"{unit or 'value'}²" if not any(c in unit for c in " /^") else f"({unit})²"


def escaped(label: str, longest: int = 40) -> str:
    """Escape a name for a figure, which would otherwise interpret tags and `%{...}` in it.

    Long ones lose their middle.
    """
    half = longest // 2
    short = label if len(label) <= longest else f"{label[: half - 1]}…{label[-half:]}"
    return html.escape(short, quote=False).replace("%{", "%&#123;")


def plain(text: str | None) -> str:
    r"""Return a label of a Plotly figure, with its tags and entities, as one of Matplotlib.

    Example:
        >>> print(plain("10<sup>−3</sup> of &lt;b&gt; costs $5"))
        10$^{−3}$ of <b> costs \$5
    """
    # A dollar sign in a name would begin a formula.
    text = (text or "").replace("$", r"\$")
    text = re.sub(r"<sup>([^<]*)</sup>", r"$^{\1}$", text)
    text = re.sub(r"<br ?/?>", "\n", text)
    return html.unescape(re.sub(r"</?[a-z]+>", "", text))

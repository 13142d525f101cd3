r"""One notation for an answer: Unicode maths, LaTeX and markdown in one spelling.

Nothing is computed here and no number is read. Superscripts, vulgar fractions and roots become
LaTeX before compatibility forms are folded; otherwise ``10²`` would become 102.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from vlprm.answers.marks import closing_brace

LONGEST = 2_000
"""Characters of an answer that are read; a longer one is no value and no option."""

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎"
_TO_LINE = str.maketrans(_RAISED + _LOWERED, "0123456789+-=()ni" + "0123456789+-=()")
_BUILT_FRACTION = re.compile(rf"([{_RAISED}]+)⁄([{_LOWERED}]+)")
_VULGAR = re.compile(r"[¼-¾⅐-⅞↉]")
_SLASHED = re.compile(r"(\d+)⁄(\d+)")
_ROOT = re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[A-Za-zπ])|(?=[\\{]))")
_DEGREE_OF_ROOT = {"√": "", "∛": "[3]", "∜": "[4]"}
_SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("−‐‑‒–﹣－", "-"),
        **dict.fromkeys("⋅·∙•", r"\cdot "),
        **dict.fromkeys("º˚", "°"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
        "×": r"\times ",
        "✕": r"\times ",
        "÷": r"\div ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "≈": r"\approx ",
        "±": r"\pm ",
        "→": r"\to ",
        "⇒": r"\to ",
        "。": ".",
        "′": "'",
        "″": "''",
    }
)

_FONT = re.compile(
    r"\\(?:text(?:rm|bf|it|sf|tt|normal|up|md|sc|sl|color)?|math(?:rm|bf|it|sf|tt|normal|bb|cal)"
    r"|operatorname\*?|mbox|hbox|bm|boldsymbol|pmb|emph|underline|uline|boxed|fbox|ensuremath)"
    r"\s*(?:(?<=color)\{[^{}]*\})?\s*\{"
)
_FONT_OF_LETTER = re.compile(
    r"\\(?:math(?:rm|bf|it|sf)|text(?:rm|bf|it)?|boldsymbol|bm|boxed|fbox)\s+([A-Za-z0-9])(?![A-Za-z0-9])"
)
_SWITCH = re.compile(
    r"\\(?:rm|bf|it|sf|tt|displaystyle|textstyle|scriptstyle|left|right|[bB]igg?[lrm]?|middle"
    r"|bfseries|itshape|color\s*\{[^{}]*\}|limits|protect)(?![A-Za-z])"
)
_SPACE = re.compile(
    r"(?<!\\)\\[,;:> \n]|(?<!\\)~|\\(?:quad|qquad|thinspace|enspace|space|medspace|thickspace|null)"
    r"(?![A-Za-z])|\\[hv]?(?:space|phantom)\*?\s*\{[^{}]*\}"
)
_HALF_A_BLANK = re.compile(r"(?<!\\)\\\s*$")
"""What remains of a backslash and a blank after stripping."""
_DEGREE = re.compile(
    r"\^\s*(?:\{\s*(?:\\circ|°|\\degree)\s*\}|(?:\\circ|°|\\degree)(?![A-Za-z]))"
    r"|\\(?:text)?degree(?![A-Za-z])"
)
_SYNONYM = re.compile(r"\\(?:(?:[dtc])(frac)|(le|ge|ne)(?:q|qslant)|(ast)|(lt|gt))(?![A-Za-z])")
_OVER = re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}")
_TAG = re.compile(r"</?(?:b|i|u|em|strong|span|p|code|mark)>")
_RAISED_TAG = re.compile(r"<(sup|sub)>([^<>]*)</\1>")
_MARKDOWN = re.compile(
    r"\*\*(?=\S)(.+?)(?<=\S)\*\*|(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)|`+([^`]+)`+"
)
_DOLLAR = re.compile(r"(?<!\\)\$")
_WORD_GROUP = re.compile(r"(?<![\^_}\]A-Za-z])\{\s*([A-Za-z .]+?)\s*\}")
_ARTICLE = re.compile(r"^(?:a|an|the)\s+(?=\S)")


@lru_cache(maxsize=65536)
def bare(text: str) -> str:
    r"""The text in one spelling: without font commands, maths delimiters and markdown.

    ``°`` for degrees, ``\frac`` for every fraction, one blank for LaTeX spacing, no escapes. A
    currency's dollar sign stays.
    """
    text = _unicode_maths(text[:LONGEST])
    if "<" in text:
        text = _RAISED_TAG.sub(lambda m: ("^" if m[1] == "sup" else "_") + f"{{{m[2]}}}", text)
        text = _TAG.sub("", text)
    if "*" in text or "_" in text or "`" in text:
        text = _MARKDOWN.sub(lambda m: m[1] or m[2] or m[3], text.strip())
        text = re.sub(r"(?<=[\w)])\*\*(?=[\w(-])", "^", text)
        text = re.sub(r"^\*(?=[^*\s])([^*]*)\*$", r"\1", text)
    if text.count("$") and len(_DOLLAR.findall(text)) % 2 == 0:
        text = _DOLLAR.sub("", text)
    if "\\" in text or "~" in text:
        text = _latex(_HALF_A_BLANK.sub("", text))
    text = text.replace("{,}", ",")
    text = " ".join(text.split())
    while text.startswith("{") and closing_brace(text, 1) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def unbracketed(text: str) -> str:
    """Without parentheses around the whole. They stay if a comma inside may separate two things."""
    if text.startswith("(") and "," not in text:
        depth = 0
        for at, character in enumerate(text):
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return text[1:-1].strip() if at == len(text) - 1 else text
    return text


def plain(text: str) -> str:
    """Words for comparison: case-folded, one space, no outer punctuation, no leading article.

    A point before a digit and a factorial sign are not punctuation: ``.5`` is not ``5``.
    """
    return _plain(bare(text))


def form(text: str) -> str:
    r"""A formula for comparison as written: a blank only where two letters or digits meet."""
    return _form(bare(text))


@lru_cache(maxsize=65536)
def _plain(text: str) -> str:
    folded = text.casefold()
    stripped = folded.rstrip(" .,;:?\"'“”‘’").lstrip(" ,;:!?\"'“”‘’")
    if re.search(r"[a-z]{2}!+$", stripped):
        stripped = stripped.rstrip("!")
    stripped = re.sub(r"^\.+(?!\d)", "", stripped).strip()
    return _ARTICLE.sub("", stripped) if stripped else folded


@lru_cache(maxsize=65536)
def _form(text: str) -> str:
    text = re.sub(r"(?<!\.)\.$", "", text)
    text = re.sub(r"\\(frac|sqrt)\s*(\d)", r"\\\1{\2}", text)
    text = re.sub(r"(\\frac\s*\{[^{}]*\})\s*(\d)", r"\1{\2}", text)
    text = re.sub(r"([\^_])\s*\{(\w)\}(?![A-Za-z0-9])", r"\1\2", text)
    return re.sub(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])", "", text)


def _unicode_maths(text: str) -> str:
    if text.isascii():
        return text
    text = _BUILT_FRACTION.sub(lambda m: rf"\frac{{{_line(m[1])}}}{{{_line(m[2])}}}", text)
    text = re.sub(rf"[{_RAISED}]+", lambda m: f"^{{{_line(m[0])}}}", text)
    text = re.sub(rf"[{_LOWERED}]+", lambda m: f"_{{{_line(m[0])}}}", text)
    text = _VULGAR.sub(_vulgar, text)
    text = _SLASHED.sub(_beside, text)
    text = _ROOT.sub(_root, text)
    return unicodedata.normalize("NFKC", text.translate(_SYMBOLS))


def _line(text: str) -> str:
    return text.translate(_TO_LINE)


def _vulgar(found: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", found[0]).split("⁄")
    return rf"\frac{{{top}}}{{{bottom}}}"


def _beside(found: re.Match[str]) -> str:
    return rf"\frac{{{found[1]}}}{{{found[2]}}}"


def _root(found: re.Match[str]) -> str:
    command = rf"\sqrt{_DEGREE_OF_ROOT[found[1]]}"
    inner = found[2] or found[3]
    return f"{command}{{{inner}}}" if inner else command


def _latex(text: str) -> str:
    text = _FONT_OF_LETTER.sub(r" \1", _SWITCH.sub("", text))
    while (opening := _FONT.search(text)) is not None:
        close = closing_brace(text, opening.end())
        before, content = text[: opening.start()], text[opening.end() : close]
        rest = "" if close is None else text[close + 1 :]
        # "12\text{m}" is a number and a word
        blank = " " if re.search(r"[\d)}]$", before) and content[:1].isalpha() else ""
        text = f"{before}{blank}{content}{rest}"
    text = _SPACE.sub(" ", text).replace(r"\!", "")
    text = re.sub(r"(?<!\\)\\[()\[\]]", "", text)
    text = re.sub(r"\\([%$&#_])", r"\1", text)
    text = _DEGREE.sub("°", text)
    text = _OVER.sub(lambda m: rf"\frac{{{m[1].strip()}}}{{{m[2].strip()}}}", text)
    text = _SYNONYM.sub(_synonym, text)
    return _WORD_GROUP.sub(r"\1", text)


def _synonym(found: re.Match[str]) -> str:
    if found[1] or found[2]:
        return "\\" + (found[1] or found[2])
    return "*" if found[3] else {"lt": "<", "gt": ">"}[found[4]]

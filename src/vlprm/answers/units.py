"""Words after a number: units under one name each, nouns, and words that change the number."""

from __future__ import annotations

import re
from functools import lru_cache

SOFT = frozenset("%°$€£¥₹")
"""Signs that either side may omit: ``50%`` counts as 50, ``45°`` as 45, ``$3`` as 3."""

_NAMES = """
% percent percents percentage pct
° degree degrees deg degs
$ dollar dollars usd
€ euro euros eur
£ pound-sterling gbp
¥ yen jpy yuan rmb cny
₹ rupee rupees inr rs
m meter meters metre metres
km kilometer kilometers kilometre kilometres kms
cm centimeter centimeters centimetre centimetres cms
mm millimeter millimeters millimetre millimetres
dm decimeter decimeters decimetre decimetres
µm micrometer micrometers micron microns um
nm nanometer nanometers nanometre nanometres
in inch inches
ft foot feet
yd yard yards yds
mi mile miles
g gram grams gm gms
kg kilogram kilograms kgs kilo kilos
mg milligram milligrams
µg microgram micrograms ug
lb lbs pound pounds
oz ounce ounces
t ton tons tonne tonnes
s sec secs second seconds
ms millisecond milliseconds
min mins minute minutes
h hr hrs hour hours
day days
week weeks
month months
yr yrs year years
L l liter liters litre litres
mL ml milliliter milliliters millilitre millilitres
cc
gal gallon gallons
Hz hz hertz
kHz
MHz
GHz
N newton newtons
kN
J joule joules
kJ
cal
kcal
W watt watts
kW
MW
mW
kWh
V volt volts
mV
kV
A amp amps ampere amperes
mA
Ω ohm ohms
kΩ
F farad farads
C coulomb coulombs
°C celsius
°F fahrenheit
K kelvin kelvins
Pa pascal pascals
kPa
MPa
atm
bar
psi
mol mole moles
rad radian radians
mph
kph
unit units
px pixel pixels
dB
eV
keV
MeV
rpm
"""
"""One unit per row: the name it is compared by, then its other names."""

_CANONICAL = {name: row.split()[0] for row in _NAMES.splitlines() for name in row.split()}
_BARE_LETTERS = frozenset("mgshLNJWVACKFΩ%°$€£¥₹")
"""One-letter names that are read as units where a letter might be a variable."""

_CHANGING = frozenset(
    """
    hundred hundreds thousand thousands million millions billion billions trillion trillions
    lakh crore dozen dozens k m b mn bn mln bln tn score gross grand
    tens pair pairs couple couples recurring repeating negative base
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    half halves third thirds quarter quarters fourth fourths fifth fifths tenth tenths
    sixth sixths seventh sevenths eighth eighths ninth ninths
    hundredth hundredths thousandth thousandths millionth millionths billionth billionths
    double doubled twice triple tripled halved mil mill mio mille mega giga lakhs crores fold bps
    squared cubed factorial plus minus and or to not no nor but versus vs mod modulo choose
    more less fewer greater smaller larger bigger higher lower than above below over under
    least most between except without before after away past nor isn't
    sin cos tan cot sec csc log ln exp sqrt max min lim
    """.split()  # noqa: SIM905  # a list of words is easier to read and to keep than quotes
)
"""Words that turn a number into another one, or into none."""

_SHORT = frozenset(("of", "on", "at", "by", "an"))

_TOKEN = r"(?:[A-Za-zµμΩÅ°][A-Za-zµμΩÅ°'’]*\.?|[%$€£¥₹])(?:\^?\{?-?[1-4]\}?(?![\w.]))?"
_WORDS = re.compile(
    rf"\(?\s*{_TOKEN}(?:(?:\s*(?:/|\\cdot(?![A-Za-z])|\*|-)\s*|\s+){_TOKEN})*\s*\)?"
)
_SQUARED = re.compile(
    r"(?:(square|sq\.?|cubic|cu\.?)\s+([A-Za-z]+)\.?|([A-Za-z]{1,10})\s+(squared|cubed))\b"
)
_QUOTIENT = re.compile(r"\\frac\s*\{([^{}\d]+)\}\s*\{([^{}]+)\}")
_POWER = re.compile(r"\^?\{?(-?[1-4])\}?$")


@lru_cache(maxsize=65536)
def unit_of(
    words: str, *, attached: bool, formula: bool = False, asked: str | None = None
) -> str | None:
    """The unit (or noun) that stands after a number, under its one name; "" without words.

    None where the words are no unit or noun: a multiplier, another number, a comparison, a
    variable. ``attached``: no blank separates them from the number; a letter attached like this is
    a variable where a ``formula`` is read. ``asked``: the unit the question asks for, which counts
    as a unit whatever it is (``million``).
    """
    words = words.strip().strip(".").strip()
    if not words:
        return ""
    words = re.sub(r"\\mu(?![A-Za-z])\s*", "µ", words)
    words = re.sub(r"\\(?:Omega|ohm)(?![A-Za-z])\s*", "Ω", words).replace("per cent", "percent")
    words = _QUOTIENT.sub(r"\1/\2", words.replace(" per ", "/"))
    if asked and (rest := _after(words, asked.strip())) is not None:
        more = unit_of(rest, attached=False)
        return None if more is None else f"{_named(asked.strip())} {more}".strip()
    if len(words) > 100 or not _WORDS.fullmatch(words):
        return None
    words = _SQUARED.sub(_with_power, words.strip("() "))
    tokens = re.findall(_TOKEN, words)
    for number, token in enumerate(tokens):
        name = _POWER.sub("", token).rstrip(".")
        known = _canonical(name)
        first = attached and number == 0
        if len(name) == 1:
            # "12m" in a formula is twelve times m; "5K" is five thousand
            if name not in _BARE_LETTERS or (
                first and (name == "K" or (formula and name.isalpha()))
            ):
                return None
        elif known is None and (first or not _is_noun(name)):
            return None
    return _named(words)


def agree(gold: str, given: str) -> bool:
    """May an answer with the unit ``given`` stand for a gold answer with the unit ``gold``?"""
    return not gold or given == gold or given.startswith(gold + " ") or (not given and gold in SOFT)


def _after(words: str, asked: str) -> str | None:
    """What follows the unit that was asked for; None where the words begin otherwise."""
    folded, name = words.casefold(), asked.casefold()
    for ending in (name + "s", name, name.removesuffix("s")):
        if ending and (folded == ending or folded.startswith(ending + " ")):
            return words[len(ending) :]
    return None


def _is_noun(name: str) -> bool:
    folded = name.casefold()
    if folded in _CHANGING or name.isupper():
        return False
    return len(name) > 2 or folded in _SHORT


def _canonical(name: str) -> str | None:
    found = _CANONICAL.get(name)
    if found is None and len(name) > 1:
        found = _CANONICAL.get(name.casefold())
    return found


def _named(words: str) -> str:
    """Every known name by its one name; other words case-folded, in the singular."""

    def name(found: re.Match[str]) -> str:
        power = _POWER.search(found[0])
        word = (found[0][: power.start()] if power else found[0]).rstrip(".")
        known = _canonical(word) or word.casefold().removesuffix("s") or word
        return known + (f"^{power[1]}" if power else "")

    named = re.sub(_TOKEN, name, words).replace("° C", "°C").replace("° F", "°F")
    return " ".join(re.sub(r"\s*(?:\\cdot|\*)\s*", " ", named).replace(" / ", "/").split())


def _with_power(found: re.Match[str]) -> str:
    power = 2 if (found[1] or found[4]).startswith("sq") else 3
    return f"{found[2] or found[3]}^{power}"

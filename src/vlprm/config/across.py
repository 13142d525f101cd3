"""What one part of a configuration says about another.

Read from the content as it stands, whatever else is wrong with it, so that these are told with the
mistakes inside the blocks: :mod:`vlprm.config.checked` calls them and nobody else needs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from vlprm import prompts
from vlprm.config.evaluation import WAYS, Strategy, curves
from vlprm.config.reader import Loc
from vlprm.config.training import PRMTrainingConfig
from vlprm.errors import UserError
from vlprm.families import FAMILIES, playing
from vlprm.families.family import Role
from vlprm.label_rules import RULES, Evidence
from vlprm.records import CHOSEN

_TABLES = (
    "models",
    "base_models",
    "policies",
    "sources",
    "training",
    "prms",
    "benchmarks",
    "searches",
)
RESERVED = {*get_args(Strategy), "oracle", CHOSEN}
"""Strategies of the tables: no search takes their names."""
Found = tuple[Loc, str, str]
"""Place, what is wrong, cure."""


def at(data: object, *keys: str) -> Any:
    """The value under these keys; None where there is none, or no block on the way."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def table(data: object, name: str) -> dict[str, Any]:
    """A table of the configuration, empty where it is none."""
    found = at(data, name)
    return {str(key): value for key, value in found.items()} if isinstance(found, Mapping) else {}


def names(data: object) -> dict[str, tuple[str, ...]]:
    """Table -> the names that it defines."""
    return {name: tuple(table(data, name)) for name in _TABLES}


def problems(data: object) -> Iterator[Found]:
    """Everything that does not go together."""
    yield from _built(data)
    yield from _engines(data)
    yield from _evidence(data)
    yield from _leaks(data)
    sources, benchmarks = table(data, "sources"), table(data, "benchmarks")
    for name in sources.keys() & benchmarks.keys():
        what = f"{name!r} is both a source and a benchmark"
        yield ("benchmarks", name), what, "rename one of them"
    yield from _searches(data)
    yield from _shown(data)
    yield from _sizes(data)
    yield from _replicates(data)
    yield from _curves(data)
    strategies = at(data, "evaluation", "ranking", "strategies")
    asked = isinstance(strategies, list | tuple) and "llm_judge" in strategies
    if asked and table(data, "evaluation").get("llm_judge", "missing") is None:
        what = "null, and evaluation.ranking.strategies has llm_judge"
        yield ("evaluation", "llm_judge"), what, "name a model, or leave the strategy out"


def _searches(data: object) -> Iterator[Found]:
    """A search is told from a strategy by its name, and its numbers from others by benchmark."""
    for name in table(data, "searches"):
        if name in RESERVED:
            what = f"{name!r} is the name of a selection strategy, and tables go by the name"
            yield ("searches", name), what, "give the search another name"
    asked = at(data, "evaluation", "benchmarks")
    if not isinstance(asked, list | tuple):
        return
    known = table(data, "benchmarks").keys()
    for name, benchmarks in table(at(data, "evaluation"), "searches").items():
        for other in benchmarks if isinstance(benchmarks, list | tuple) else ():
            if other in known and other not in asked:
                what = f"{other!r} is not one of evaluation.benchmarks"
                yield ("evaluation", "searches", name), what, "add it there, or remove it here"


def _curves(data: object) -> Iterator[Found]:
    """A figure's curve is a search that runs, or a strategy that is asked for in this way."""
    searches, ranking = at(data, "evaluation", "searches"), at(data, "evaluation", "ranking")
    asked, strategies = _texts(at(data, "tables", "curves")), _texts(at(ranking, "strategies"))
    ways = {name: _texts(at(ranking, WAYS[name])) for name in strategies if name in WAYS}
    made = [*table(at(data, "evaluation"), "searches")]
    for name in strategies:
        made += [f"{name}/{way}" for way in ways[name]] if name in WAYS else [name]
    if not isinstance(searches, Mapping) or not strategies or not all(ways.values()):
        return  # told where it stands
    known = table(data, "searches").keys()
    for place, curve in enumerate(asked):
        strategy, _, way = curve.partition("/")
        if curve in made or curve not in {*curves(), *known}:
            continue
        if curve in known:
            key, lacks = "searches", curve
        elif strategy in strategies:
            key, lacks = f"ranking.{WAYS[strategy]}", way
        else:
            key, lacks = "ranking.strategies", strategy
        what = f"{curve!r}, and evaluation.{key} has no {lacks}"
        cure = f"add it there, or remove it here; curves that are made: {', '.join(made)}"
        yield ("tables", "curves", place), what, cure


def _texts(value: object) -> list[str]:
    """The texts of a list; none where it is no list."""
    items = value if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, str)]


def _built(data: object) -> Iterator[Found]:
    """What the run builds has what it is built from."""
    bases = table(data, "base_models")
    for name, model in table(data, "models").items():
        if at(model, "source") == "build" and name not in bases:
            what = f"source: build, and {name!r} is not one of base_models {sorted(bases)}"
            yield ("models", name, "source"), what, "say published, or add it to base_models"
    for name, prm in table(data, "prms").items():
        given = at(data, "labels", "examples", "published")
        if at(prm, "source") == "build" and not table(data, "sources") and not given:
            what = f"empty, and prms.{name} is to be built from them"
            yield ("sources",), what, "add a source, or say prms.*.source: published"
            return


def _shown(data: object) -> Iterator[Found]:
    """A PRM is shown questions as in its training, which the run knows where it trains itself."""
    given = at(data, "labels", "examples", "published")
    for name, prm in table(data, "prms").items():
        chosen, source = at(prm, "question_prompt") or "trained", at(prm, "source")
        if not isinstance(chosen, str) or source not in {"build", "published"}:
            continue
        loc = ("prms", name, "question_prompt")
        if source == "build" and not given:
            if chosen not in {"trained", "policy"} and _asks(chosen):
                what = f"{chosen!r}, and the run trains {name} with labels.policy's user_prompt"
                yield loc, what, "say trained, or policy (as upstream)"
        elif chosen == "trained":
            what = "trained, and what others' conversations show is not known"
            yield loc, what, "name the prompt of its training, or say policy (as upstream)"


def _asks(prompt: str) -> bool:
    """Is this a prompt that shows a question? What is none is told where it stands."""
    try:
        prompts.render(prompt, question="")
    except UserError:
        return False
    return True


def _replicates(data: object) -> Iterator[Found]:
    """PRMs that are pooled are trainings of one PRM, told apart by their seeds."""
    prms, asked = table(data, "prms"), at(data, "evaluation", "prms")
    for name, members in table(at(data, "evaluation"), "replicates").items():
        if not isinstance(members, list | tuple) or not all(one in prms for one in members):
            continue  # told where they stand
        loc = ("evaluation", "replicates", name)
        absent = [one for one in members if isinstance(asked, list | tuple) and one not in asked]
        given = [one for one in members if at(prms[one], "source") == "published"]
        trained = [_training(data, one) for one in members]
        if name in prms:
            yield loc, f"{name!r} is the name of a PRM", "give the group another name"
        elif len(members) == 1:
            yield loc, f"{members[0]} alone", "name at least two trainings, better three to five"
        elif absent:
            what = f"{absent[0]!r} is not one of evaluation.prms"
            yield loc, what, "add it there, or remove it here"
        elif given:
            what = f"{given[0]} is published, and the seed of its training is not known"
            yield loc, what, "pool PRMs that the run trains (source: build), or leave the group out"
        elif any(one[0] != trained[0][0] for one in trained):
            other = next(m for m, one in zip(members, trained, strict=True) if one != trained[0])
            what = f"{members[0]} and {other} differ in more than training.*.seed"
            yield loc, what, "pool PRMs that the run trains alike but for the seed"
        elif len({seed for _, seed in trained}) < len(members):
            what = f"two of {', '.join(members)} have one seed, so they are one training"
            yield loc, what, "give each a training block with a seed of its own"


def _training(data: object, prm: str) -> tuple[object, object]:
    """All that makes a PRM but the seed of its training, and the seed."""
    own = table(at(data, "prms"), prm)
    name = own.pop("training", None)
    given = table(at(data, "training"), name) if isinstance(name, str) else {}
    fields = PRMTrainingConfig.model_fields
    recipe = {key: one.default for key, one in fields.items() if not one.is_required()} | given
    recipe = {key: value for key, value in recipe.items() if not _changes_no_byte(key)}
    seed = recipe.pop("seed", None)
    return (own | {"question_prompt": own.get("question_prompt", "trained")}, recipe), repr(seed)


def _changes_no_byte(key: str) -> bool:
    """Is this key of a recipe left out of slices?"""
    return key in PRMTrainingConfig.model_fields and bool(
        PRMTrainingConfig.model_fields[key].exclude
    )


_BLOCKS = {Evidence.ESTIMATES: "estimates", Evidence.VERDICTS: "judge"}
"""The block of ``labels`` that makes each evidence."""


def _evidence(data: object) -> Iterator[Found]:
    """What the label rule and the evaluation ask for is there."""
    labels, name = table(data, "labels"), at(data, "labels", "rule", "name")
    rule = RULES.get(name) if isinstance(name, str) else None
    needed = rule.needs if rule is not None else frozenset()
    for evidence, block in _BLOCKS.items():
        if labels.get(block, "missing") is not None:
            continue
        if evidence in needed:
            others = sorted(k for k, other in RULES.items() if evidence not in other.needs)
            cure = f"give the block, or name a rule that needs none: {', '.join(others)}"
            yield ("labels", block), f"null, and the label rule {name} needs {evidence}", cure
        elif block == "judge" and at(data, "evaluation", "step_truth") is True:
            what = "null, and evaluation.step_truth is true"
            yield ("labels", block), what, "give the block, or say step_truth: false"


def _leaks(data: object) -> Iterator[Found]:
    """What the leak check leaves out is left out of conversations that this run makes."""
    if at(data, "leaks", "drop") and at(data, "labels", "examples", "published"):
        what = "names kinds, and the conversations are given by labels.examples.published"
        yield ("leaks", "drop"), what, "say drop: [], or build the conversations"


def _sizes(data: object) -> Iterator[Found]:
    """No training asks for more questions than there are."""
    if at(data, "labels", "examples", "published"):
        return
    counts = [at(item, "data", "n") for item in table(data, "sources").values()]
    if not counts or not all(isinstance(n, int) for n in counts):
        return
    for name, recipe in table(data, "training").items():
        asked = at(recipe, "questions")
        if isinstance(asked, int) and asked > sum(counts):
            what = f"{asked}, and the sources have {sum(counts)} questions"
            yield ("training", name, "questions"), what, "lower it, or raise sources.*.data.n"


def _engines(data: object) -> Iterator[Found]:
    """Every model has an engine for each role that it is given."""
    asked: list[tuple[Loc, Any, Role]] = [
        *(
            (("policies", k, "model"), at(v, "model"), "policy")
            for k, v in table(data, "policies").items()
        ),
        *((("prms", k, "base"), at(v, "base"), "scorer") for k, v in table(data, "prms").items()),
        (("evaluation", "llm_judge"), at(data, "evaluation", "llm_judge"), "scorer"),
    ]
    models = table(data, "models")
    for loc, name, role in asked:
        model = models.get(name) if isinstance(name, str) else None
        engines = at(model, "engines")
        if not isinstance(engines, Mapping) or engines.get(role) is not None:
            continue
        family = FAMILIES.get(str(at(model, "family")))
        able = family.engines.get(role, ()) if family else ()
        if family and not able:
            what = f"{name} is used as a {role}, and its family {family.name} is no {role}"
            yield loc, what, f"name a model of {' or '.join(playing(role))}"
        else:
            what = f"{name} is used as a {role}, and models.{name}.engines names none"
            yield loc, what, f"add {role}: {' or '.join(able or ('transformers',))}"

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from vlprm.config import placement, rehearsal, slices
from vlprm.config.host_memory import HostMemory
from vlprm.config.containers import load_containers
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.config.reader import read_config
from vlprm.config.times import Times
from vlprm.config.training import host_mb
from vlprm.determinism import shell_exports
from vlprm.errors import UserError
from vlprm.preflight.driver import check_driver, refuse, speak_of_failures
from vlprm.preflight.machine import container_folder
from vlprm.preflight.needs import Needs
from vlprm.stages import VERSIONS

speak_of_failures()
try:
    READ = read_config(workflow.overwrite_configfiles or Path("config.yaml"))
except UserError as error:
    refuse(workflow, error)

if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


try:
    # --config on the command line stands above the file
    READ = replace(READ, data=dict(config))
    CFG = load_config(READ, folder=Path.cwd())
    PLAN = Plan(CFG, READ)
    MEMORY = HostMemory(PLAN)
    TIMES = Times.of(PLAN, Path.cwd())
    SETTINGS = shell_exports() + rehearsal.shell_export(CFG)
    check_driver(workflow, PLAN)
except UserError as error:
    refuse(workflow, error)

R, LOGS = PLAN.root, PLAN.logs
CONTAINERS = load_containers(Path(workflow.basedir, "containers/images.yaml"))

# what a job that runs a model asks for; profiles may set other values for a rule
ON_GPU = any(model.gpus for model in CFG.models.values())
ENGINE_MB = 64000 if ON_GPU else 4000
# processor cores beside each GPU: pictures are read and prompts prepared while the card computes
CORES_PER_CARD = 8

# where the judge is asked: here, or as a job
JUDGED_HERE = CFG.labels.judge is not None and CFG.labels.judge.on_login

# The package comes from the checkout, on the driver and in a container alike; the settings that
# keep bytes the same come from one place; and no job looks for a network: what comes from the
# Hub is fetched by rules that lift this for one command.
shell.prefix(f"export PYTHONPATH={workflow.basedir}/src HF_HUB_OFFLINE=1; {SETTINGS}")

# Fetching happens where Snakemake runs (a login node), in its own environment: there are the
# network, the user's token and apptainer itself.
IN_CONTAINERS = "APPTAINER" in {
    method.name for method in workflow.deployment_settings.deployment_method
}
CONTAINER_FOLDER = container_folder(workflow.deployment_settings.apptainer_prefix, Path.cwd())


localrules:
    fetch_data,
    fetch_model,
    fetch_container,
    absent,


wildcard_constraints:
    policy=r"[A-Za-z0-9._-]+",
    prm=r"[A-Za-z0-9._-]+",
    search=r"[A-Za-z0-9._-]+",
    dataset=r"[A-Za-z0-9._-]+",
    benchmark=r"[A-Za-z0-9._-]+",
    model=r"[A-Za-z0-9._-]+",
    judge=r"[A-Za-z0-9._-]+",
    shard=r"\d{3}",


def minutes(rule):
    """Walltime of a job from its counts; a resource, so another speed reruns nothing."""
    return lambda wildcards: TIMES.minutes(rule, wildcards)


def megabytes(rule):
    """Memory of a job that runs no model, from its counts; a resource, as its walltime."""
    return lambda wildcards: MEMORY.megabytes(rule, wildcards)


def booked(rule, placed=None, mem_mb=ENGINE_MB):
    """Resources of a rule's jobs: walltime and memory, and cards where they run models (``placed``,
    then ``mem_mb`` holds)."""
    if placed is None:
        return dict(mem_mb=megabytes(rule), runtime=minutes(rule))
    return dict(**placed, mem_mb=mem_mb, runtime=minutes(rule))


def cores(placed):
    """Threads of jobs that run models, for the scheduler alone: sums are never split over them
    (``determinism.THREADS``)."""
    return lambda wildcards: max(1, CORES_PER_CARD * placed["gpu"](wildcards))


def container_of(role):
    return CONTAINERS[PLAN.container(role)].reference


def container_unless_deployed(role):
    """The container of a rule that always runs on the host; shown where none is used at all."""
    return None if IN_CONTAINERS else container_of(role)


def containers():
    """Listings of the containers that the run uses, where jobs run in containers."""
    used = Needs(PLAN, Path.cwd()).roles() if IN_CONTAINERS else []
    return [f"resources/containers/{role}.json" for role in used]


def policy_model(wildcards):
    return PLAN.model(CFG.policies[wildcards.policy].model)


def labelled(kind):
    """All shards of all sources, of one table of the labelled policy."""
    policy = CFG.labels.policy
    return [path for name in CFG.sources for path in PLAN.tables(kind, policy, name)]


def panel_verdicts(wildcards):
    """What the other judges say of a shard, where rollouts are left out for their sake."""
    panel = CFG.labels.panel
    if panel is None or panel.keep == "all":
        return []
    keys = (wildcards.policy, wildcards.dataset, wildcards.shard)
    return [PLAN.table("panel", judge, *keys) for judge in panel.judges]


def sources(kind):
    return [path for name in CFG.sources for path in PLAN.tables(kind, name)]


def recipe(wildcards):
    """The training block of a PRM."""
    return CFG.training[CFG.prms[wildcards.prm].training]


def training_mb(wildcards):
    """Host memory of a node: every process reads the weights. A size not stated counts as 7B's."""
    base = CFG.models[CFG.prms[wildcards.prm].base]
    if not base.gpus:
        return ENGINE_MB
    return host_mb(recipe(wildcards), recipe(wildcards).cards, (base.hub and base.hub.gb) or 17)


def prm_weights(wildcards):
    return PLAN.prm(wildcards.prm)


def placed(where):
    """Resources of jobs whose models stand at ``where(wildcards)``, the cards that they book and
    the argument that places engines on them. As resources, not params, they rerun nothing."""
    return dict(
        gpu=lambda wildcards: placement.cards(where(wildcards)),
        placement=lambda wildcards: placement.write(where(wildcards)),
    )


PLACED_POLICY = placed(lambda wc: placement.of_policy(CFG, wc.policy))
PLACED_PRM = placed(lambda wc: placement.of_prm(CFG, wc.prm))
PLACED_JUDGE = placed(lambda wc: placement.of_judge(CFG))
PLACED_SEARCH = placed(lambda wc: placement.of_search(CFG, wc.policy, wc.prm))
PLACED_TRAINING = placed(lambda wc: placement.of_training(CFG, wc.prm))


def by_policy(kind):
    """All shards of a table of one benchmark, policy after policy."""
    return lambda wc: [
        path
        for policy in CFG.evaluation.policies
        for path in PLAN.tables(kind, policy, wc.benchmark)
    ]


def scored(wildcards):
    """All shards of the PRMs' scores of one benchmark."""
    return [
        path
        for prm in CFG.evaluation.prms
        for policy in CFG.evaluation.policies
        for path in PLAN.tables("scores", prm, policy, wildcards.benchmark)
    ]


def searched(suffix):
    """All shards of the searches of one benchmark: search after search, PRM, policy."""
    return lambda wc: [
        path
        for keys in PLAN.searches()
        if keys[-1] == wc.benchmark
        for path in PLAN.searched(suffix, *keys)
    ]


def of_benchmarks(kind):
    return [f"{R}/metrics/{name}/{kind}.parquet" for name in CFG.evaluation.benchmarks]


LEAK_HITS = f"{R}/leaks/hits.parquet"
SHARDS = {name: len(PLAN.shards(name)) for name in PLAN.data}
TABLES = slices.tables.of(CFG, SHARDS).model_dump_json()


def published_files(wildcards):
    return CFG.sources[wildcards.dataset].published.model_dump()

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from vlprm.config import placement, rehearsal, slices
from vlprm.config.host_memory import HostMemory
from vlprm.config.images import load_images
from vlprm.config.run import load_config
from vlprm.config.plan import Plan
from vlprm.config.times import Times
from vlprm.config.training import host_mb
from vlprm.determinism import shell_exports
from vlprm.errors import UserError
from vlprm.preflight.driver import check_driver
from vlprm.preflight.machine import image_folder
from vlprm.preflight.needs import Needs
from vlprm.stages import VERSIONS

try:
    CFG = load_config(config, ", ".join(map(str, workflow.configfiles)) or "config.yaml")
    PLAN = Plan(CFG)
    MEMORY = HostMemory(PLAN)
    TIMES = Times.of(PLAN, Path.cwd())
    SETTINGS = shell_exports() + rehearsal.shell_export(CFG)
    check_driver(workflow, PLAN)
except UserError as error:
    raise WorkflowError(str(error))

R, LOGS = PLAN.root, PLAN.logs
IMAGES = load_images(Path(workflow.basedir, "containers/images.yaml"))

# what a job that runs a model asks for; profiles may set other values for a rule
ON_GPU = any(model.gpus for model in CFG.models.values())
ENGINE_MB = 64000 if ON_GPU else 4000

# The package comes from the checkout, on the driver and in a container alike; the settings that
# keep bytes the same come from one place; and no job looks for a network: what comes from the
# Hub is fetched by rules that lift this for one command.
shell.prefix(f"export PYTHONPATH={workflow.basedir}/src HF_HUB_OFFLINE=1; {SETTINGS}")

# Fetching happens where Snakemake runs (a login node), in its own environment: there are the
# network, the user's token and apptainer itself.
CONTAINERS = "APPTAINER" in {
    method.name for method in workflow.deployment_settings.deployment_method
}
IMAGE_FOLDER = image_folder(workflow.deployment_settings.apptainer_prefix, Path.cwd())


localrules:
    fetch_data,
    fetch_model,
    fetch_image,
    absent,


wildcard_constraints:
    policy=r"[A-Za-z0-9._-]+",
    prm=r"[A-Za-z0-9._-]+",
    dataset=r"[A-Za-z0-9._-]+",
    benchmark=r"[A-Za-z0-9._-]+",
    model=r"[A-Za-z0-9._-]+",
    shard=r"\d{3}",


def minutes(rule):
    """Walltime of a job from its counts; a resource, so another speed reruns nothing."""
    return lambda wildcards: TIMES.minutes(rule, wildcards)


def megabytes(rule):
    """Memory of a job that runs no model, from its counts; a resource, as its walltime."""
    return lambda wildcards: MEMORY.megabytes(rule, wildcards)


def image_of(role):
    return IMAGES[PLAN.image(role)].reference


def image_unless_deployed(role):
    """The image of a rule that always runs on the host; shown where no image is used at all."""
    return None if CONTAINERS else image_of(role)


def images():
    """Listings of the images that the run uses, where jobs run in images."""
    used = Needs(PLAN, Path.cwd()).roles() if CONTAINERS else []
    return [f"resources/images/{role}.json" for role in used]


def policy_model(wildcards):
    return PLAN.model(CFG.policies[wildcards.policy].model)


def labelled(kind):
    """All shards of all sources, of one table of the labelled policy."""
    policy = CFG.labels.policy
    return [path for name in CFG.sources for path in PLAN.tables(kind, policy, name)]


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


def guided(suffix):
    """All shards of the guided search on one benchmark; none where it is not run."""
    return lambda wc: [
        f"{R}/guided/{prm}/{policy}/{wc.benchmark}/{shard}.{suffix}.parquet"
        for prm in CFG.evaluation.prms
        for policy in CFG.evaluation.policies
        for shard in PLAN.shards(wc.benchmark)
        if wc.benchmark in CFG.evaluation.guided_benchmarks
    ]


def of_benchmarks(kind):
    return [f"{R}/metrics/{name}/{kind}.parquet" for name in CFG.evaluation.benchmarks]


TABLES = slices.tables(
    CFG, {name: len(PLAN.shards(name)) for name in CFG.sources}
).model_dump_json()


def published_files(wildcards):
    return CFG.sources[wildcards.dataset].published.model_dump()

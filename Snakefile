# One DAG: questions and images -> rollouts -> estimates + verdicts -> labels -> PRM -> tables.
# The paper's run is config.yaml; another run is a complete file of its own, given by
# --configfile (files are never merged), e.g. --configfile configs/mini.yaml.
from snakemake.utils import min_version

min_version("9.0")


report: "rules/report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/models.smk"
include: "rules/rollouts.smk"
include: "rules/leaks.smk"
include: "rules/labels.smk"
include: "rules/judges.smk"
include: "rules/import.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/tables.smk"
include: "rules/verify.smk"
include: "rules/pages.smk"


rule all:
    default_target: True
    input:
        rules.tables.output.strategies,
        rules.figures.output.accuracy,
        rules.cost_pages.output.page,
        rules.leaks.output.page if CFG.leaks else [],
        rules.judges.output.page if CFG.labels.panel else [],


# everything that a run takes from elsewhere, for compute nodes without network
rule fetch:
    input:
        PLAN.fetched(),
        containers(),

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


rule metrics:
    input:
        samples=lambda wc: PLAN.tables("samples", wc.benchmark),
        grades=by_policy("grades"),
        selections=lambda wc: [
            f"{R}/selections/{policy}/{wc.benchmark}.parquet"
            for policy in CFG.evaluation.policies
        ],
        guided=guided("rollouts"),
        guided_grades=guided("grades"),
    output:
        metrics=f"{R}/metrics/{{benchmark}}/accuracy.parquet",
    params:
        config=lambda wc: slices.metrics(CFG, wc.benchmark).model_dump_json(),
        version=VERSIONS["metrics"],
    log:
        f"{LOGS}/metrics/{{benchmark}}.log",
    container:
        image_of("cpu")
    shell:
        'python -m vlprm.cli metrics --samples "{input.samples}" --grades "{input.grades}"'
        ' --selections "{input.selections}" --guided "{input.guided}"'
        ' --guided-grades "{input.guided_grades}" --metrics {output.metrics}'
        " --config {params.config:q} > {log} 2>&1"


rule step_metrics:
    input:
        rollouts=by_policy("rollouts"),
        verdicts=lambda wc: (
            by_policy("verdicts")(wc) if CFG.evaluation.step_truth else []
        ),
        scores=lambda wc: [
            path
            for prm in CFG.evaluation.prms
            for policy in CFG.evaluation.policies
            for path in PLAN.tables("scores", prm, policy, wc.benchmark)
        ],
    output:
        metrics=f"{R}/metrics/{{benchmark}}/steps.parquet",
        bins=f"{R}/metrics/{{benchmark}}/calibration.parquet",
        confusions=f"{R}/metrics/{{benchmark}}/confusion.parquet",
    params:
        config=lambda wc: slices.metrics(CFG, wc.benchmark).model_dump_json(),
        version=VERSIONS["step_metrics"],
    log:
        f"{LOGS}/step_metrics/{{benchmark}}.log",
    container:
        image_of("cpu")
    shell:
        'python -m vlprm.cli step-metrics --rollouts "{input.rollouts}"'
        ' --verdicts "{input.verdicts}" --scores "{input.scores}" --metrics {output.metrics}'
        " --bins {output.bins} --confusions {output.confusions} --config {params.config:q} > {log} 2>&1"


def of_benchmarks(kind):
    return [f"{R}/metrics/{name}/{kind}.parquet" for name in CFG.evaluation.benchmarks]


TABLES = slices.tables(
    CFG, {name: len(PLAN.shards(name)) for name in CFG.sources}
).model_dump_json()


rule tables:
    input:
        metrics=of_benchmarks("accuracy"),
        steps=of_benchmarks("steps"),
        rollouts=labelled("rollouts"),
        labels=labelled("labels"),
    output:
        strategies=report(f"{R}/tables/strategies.csv", category="Tables"),
        page=report(f"{R}/tables/strategies.md", category="Tables"),
        tex=f"{R}/tables/strategies.tex",
        steps=report(f"{R}/tables/steps.md", category="Tables"),
        labels=report(f"{R}/tables/labels.md", category="Tables"),
        statistics=f"{R}/tables/labels.parquet",
    params:
        config=TABLES,
        version=VERSIONS["tables"],
        out_dir=f"{R}/tables",
    log:
        f"{LOGS}/tables.log",
    container:
        image_of("cpu")
    shell:
        'python -m vlprm.cli tables --metrics "{input.metrics}" --steps "{input.steps}"'
        ' --rollouts "{input.rollouts}" --labels "{input.labels}" --out-dir {params.out_dir}'
        " --config {params.config:q} > {log} 2>&1"


rule figures:
    input:
        metrics=of_benchmarks("accuracy"),
        bins=of_benchmarks("calibration"),
        confusions=of_benchmarks("confusion"),
        labels=rules.tables.output.statistics,
    output:
        accuracy=report(f"{R}/figures/accuracy.svg", category="Figures"),
        calibration=report(f"{R}/figures/calibration.svg", category="Figures"),
        first_error=report(f"{R}/figures/first_error.svg", category="Figures"),
        labels=report(f"{R}/figures/labels.svg", category="Figures"),
        png=expand(
            f"{R}/figures/{{name}}.png",
            name=["accuracy", "calibration", "first_error", "labels"],
        ),
    params:
        config=TABLES,
        version=VERSIONS["figures"],
        out_dir=f"{R}/figures",
    log:
        f"{LOGS}/figures.log",
    container:
        image_of("cpu")
    shell:
        'python -m vlprm.cli figures --metrics "{input.metrics}" --bins "{input.bins}"'
        ' --confusions "{input.confusions}" --labels {input.labels}'
        " --out-dir {params.out_dir} --config {params.config:q} > {log} 2>&1"

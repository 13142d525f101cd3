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
        metrics=f"{R}/metrics/{{benchmark}}.parquet",
    params:
        config=lambda wc: slices.MetricsSlice(
            benchmark=wc.benchmark,
            policies=CFG.evaluation.policies,
            prms=CFG.evaluation.prms,
            metrics=CFG.metrics,
        ).model_dump_json(),
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
        metrics=f"{R}/metrics/{{benchmark}}.steps.parquet",
        bins=f"{R}/metrics/{{benchmark}}.calibration.parquet",
    params:
        config=lambda wc: slices.MetricsSlice(
            benchmark=wc.benchmark,
            policies=CFG.evaluation.policies,
            prms=CFG.evaluation.prms,
            metrics=CFG.metrics,
        ).model_dump_json(),
        version=VERSIONS["step_metrics"],
    log:
        f"{LOGS}/step_metrics/{{benchmark}}.log",
    container:
        image_of("cpu")
    shell:
        'python -m vlprm.cli step-metrics --rollouts "{input.rollouts}"'
        ' --verdicts "{input.verdicts}" --scores "{input.scores}" --metrics {output.metrics}'
        " --bins {output.bins} --config {params.config:q} > {log} 2>&1"

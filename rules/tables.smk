rule metrics:
    input:
        samples=lambda wc: PLAN.tables("samples", wc.benchmark),
        grades=by_policy("grades"),
        selections=lambda wc: [
            f"{R}/selections/{policy}/{wc.benchmark}.parquet" for policy in CFG.evaluation.policies
        ],
        searched=searched("rollouts"),
        searched_grades=searched("grades"),
    output:
        metrics=f"{R}/metrics/{{benchmark}}/accuracy.parquet",
    log:
        f"{LOGS}/metrics/{{benchmark}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("metrics"),
    params:
        config=lambda wc: slices.metrics.of(
            CFG, wc.benchmark, SHARDS[wc.benchmark]
        ).model_dump_json(),
        version=VERSIONS["metrics"],
    shell:
        'python -m vlprm.cli metrics --samples "{input.samples}" --grades "{input.grades}"'
        ' --selections "{input.selections}" --searched "{input.searched}"'
        ' --searched-grades "{input.searched_grades}" --metrics {output.metrics}'
        " --config {params.config:q} > {log} 2>&1"


rule step_metrics:
    input:
        rollouts=by_policy("rollouts"),
        verdicts=lambda wc: (by_policy("verdicts")(wc) if CFG.evaluation.step_truth else []),
        scores=scored,
    output:
        metrics=f"{R}/metrics/{{benchmark}}/steps.parquet",
        bins=f"{R}/metrics/{{benchmark}}/calibration.parquet",
        confusions=f"{R}/metrics/{{benchmark}}/confusion.parquet",
    log:
        f"{LOGS}/step_metrics/{{benchmark}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("step_metrics"),
    params:
        config=lambda wc: slices.metrics.of(
            CFG, wc.benchmark, SHARDS[wc.benchmark]
        ).model_dump_json(),
        version=VERSIONS["step_metrics"],
    shell:
        'python -m vlprm.cli step-metrics --rollouts "{input.rollouts}"'
        ' --verdicts "{input.verdicts}" --scores "{input.scores}" --metrics {output.metrics}'
        " --bins {output.bins} --confusions {output.confusions} --config {params.config:q} > {log} 2>&1"


rule costs:
    input:
        rollouts=by_policy("rollouts"),
        scores=scored,
        ranks=lambda wc: by_policy("ranks")(wc) if CFG.evaluation.llm_judge else [],
        searched=searched("costs"),
    output:
        costs=f"{R}/metrics/{{benchmark}}/costs.parquet",
    log:
        f"{LOGS}/costs/{{benchmark}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("costs"),
    params:
        config=lambda wc: slices.costs.of(CFG, wc.benchmark, SHARDS[wc.benchmark]).model_dump_json(),
        version=VERSIONS["costs"],
    shell:
        'python -m vlprm.cli costs --rollouts "{input.rollouts}" --scores "{input.scores}"'
        ' --ranks "{input.ranks}" --searched "{input.searched}" --costs {output.costs}'
        " --config {params.config:q} > {log} 2>&1"


rule tables:
    input:
        metrics=of_benchmarks("accuracy"),
        steps=of_benchmarks("steps"),
        rollouts=labelled("rollouts"),
        labels=labelled("labels"),
    output:
        strategies=report(
            f"{R}/tables/strategies.csv", caption="report/strategies.rst", category="Tables"
        ),
        page=report(f"{R}/tables/strategies.md", caption="report/strategies.rst", category="Tables"),
        tex=f"{R}/tables/strategies.tex",
        steps=report(f"{R}/tables/steps.md", caption="report/steps.rst", category="Tables"),
        labels=report(f"{R}/tables/labels.md", caption="report/labels.rst", category="Tables"),
        paper=report(f"{R}/tables/paper.md", caption="report/paper.rst", category="Tables"),
        statistics=f"{R}/tables/labels.parquet",
    log:
        f"{LOGS}/tables.log",
    container:
        container_of("cpu")
    resources:
        **booked("tables"),
    params:
        config=TABLES,
        version=VERSIONS["tables"],
        out_dir=lambda wc, output: Path(output.strategies).parent,
    shell:
        'python -m vlprm.cli tables --metrics "{input.metrics}" --steps "{input.steps}"'
        ' --rollouts "{input.rollouts}" --labels "{input.labels}" --out-dir {params.out_dir}'
        " --config {params.config:q} > {log} 2>&1"


rule cost_pages:
    input:
        metrics=of_benchmarks("accuracy"),
        costs=of_benchmarks("costs"),
    output:
        page=report(f"{R}/tables/costs.md", caption="report/costs.rst", category="Tables"),
        drawing=report(f"{R}/figures/costs.svg", caption="report/costs.rst", category="Figures"),
        picture=f"{R}/figures/costs.png",
    log:
        f"{LOGS}/cost_pages.log",
    container:
        container_of("cpu")
    resources:
        **booked("cost_pages"),
    params:
        config=TABLES,
        version=VERSIONS["cost_pages"],
    shell:
        'python -m vlprm.cli cost-pages --metrics "{input.metrics}" --costs "{input.costs}"'
        " --page {output.page} --drawing {output.drawing} --picture {output.picture}"
        " --config {params.config:q} > {log} 2>&1"


rule figures:
    input:
        metrics=of_benchmarks("accuracy"),
        bins=of_benchmarks("calibration"),
        confusions=of_benchmarks("confusion"),
        labels=rules.tables.output.statistics,
    output:
        accuracy=report(
            f"{R}/figures/accuracy.svg", caption="report/accuracy.rst", category="Figures"
        ),
        calibration=report(
            f"{R}/figures/calibration.svg", caption="report/calibration.rst", category="Figures"
        ),
        first_error=report(
            f"{R}/figures/first_error.svg", caption="report/first_error.rst", category="Figures"
        ),
        labels=report(
            f"{R}/figures/labels.svg", caption="report/label_figure.rst", category="Figures"
        ),
        png=expand(
            f"{R}/figures/{{name}}.png",
            name=["accuracy", "calibration", "first_error", "labels"],
        ),
    log:
        f"{LOGS}/figures.log",
    container:
        container_of("cpu")
    resources:
        **booked("figures"),
    params:
        config=TABLES,
        version=VERSIONS["figures"],
        out_dir=lambda wc, output: Path(output.accuracy).parent,
    shell:
        'python -m vlprm.cli figures --metrics "{input.metrics}" --bins "{input.bins}"'
        ' --confusions "{input.confusions}" --labels {input.labels}'
        " --out-dir {params.out_dir} --config {params.config:q} > {log} 2>&1"

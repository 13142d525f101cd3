# Pages that no target asks for: `snakemake ... label_counts` does.
rule label_counts:
    input:
        rollouts=labelled("rollouts"),
        labels=labelled("labels"),
        verdicts=labelled("verdicts") if CFG.labels.judged else [],
        panel=rules.judges.input.panel,
    output:
        counted=f"{R}/tables/label_counts.parquet",
        page=f"{R}/tables/label_counts.md",
    log:
        f"{LOGS}/label_counts.log",
    container:
        container_of("cpu")
    resources:
        **booked("label_counts"),
    params:
        config=lambda wc: slices.label_counts.of(CFG, SHARDS).model_dump_json(),
        version=VERSIONS["label_counts"],
    shell:
        'python -m vlprm.cli label-counts --rollouts "{input.rollouts}" --labels "{input.labels}"'
        ' --verdicts "{input.verdicts}" --panel "{input.panel}" --counted {output.counted}'
        " --page {output.page} --config {params.config:q} > {log} 2>&1"


rule data_versions:
    input:
        raw=[ancient(path) for name in PLAN.data for path in PLAN.raw(name)],
    output:
        table=f"{R}/tables/data_versions.csv",
        page=f"{R}/tables/data_versions.md",
    log:
        f"{LOGS}/data_versions.log",
    container:
        container_of("cpu")
    resources:
        **booked("data_versions"),
    params:
        config=slices.data_versions.of(CFG).model_dump_json(),
        version=VERSIONS["data_versions"],
    shell:
        "python -m vlprm.cli data-versions --table {output.table} --page {output.page}"
        " --config {params.config:q} > {log} 2>&1"

rule fetch_data:
    output:
        listing="resources/data/{dataset}/fetch.json",
    log:
        f"{LOGS}/fetch/data/{{dataset}}.log",
    container:
        container_unless_deployed("cpu")
    resources:
        **booked("fetch_data"),
    params:
        config=lambda wc: PLAN.data[wc.dataset].hub.model_dump_json(),
        version=VERSIONS["fetch"],
    shell:
        "HF_HUB_OFFLINE=0 python -m vlprm.cli fetch --out {output.listing}"
        " --config {params.config:q} > {log} 2>&1"


rule absent:
    output:
        listing="resources/absent/{dataset}.json",
    log:
        f"{LOGS}/absent/{{dataset}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("absent"),
    params:
        config=lambda wc: PLAN.data[wc.dataset].model_dump_json(),
        version=VERSIONS["prepare"],
    shell:
        "python -m vlprm.cli absent {wildcards.dataset} --config {params.config:q} > {log} 2>&1"


rule prepare:
    input:
        # ancient: the digest of the shard's own rows, in params, says when to prepare again
        raw=lambda wc: [ancient(path) for path in PLAN.raw(wc.dataset)],
    output:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        images=f"{R}/images/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/prepare/{{dataset}}/{{shard}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("prepare"),
    params:
        config=lambda wc: slices.prepare.of(CFG, wc.dataset, wc.shard).model_dump_json(),
        version=VERSIONS["prepare"],
    shell:
        "python -m vlprm.cli prepare --samples {output.samples} --images {output.images}"
        " --config {params.config:q} > {log} 2>&1"

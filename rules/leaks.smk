# Questions and images of the benchmarks among the sources; only where the configuration asks.
rule fingerprint:
    input:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        images=f"{R}/images/{{dataset}}/{{shard}}.parquet",
    output:
        fingerprints=f"{R}/fingerprints/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/fingerprint/{{dataset}}/{{shard}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("fingerprint"),
    params:
        config=lambda wc: slices.leaks.fingerprint(CFG).model_dump_json(),
        version=VERSIONS["fingerprint"],
    shell:
        "python -m vlprm.cli fingerprint --samples {input.samples} --images {input.images}"
        " --fingerprints {output.fingerprints} --config {params.config:q} > {log} 2>&1"


rule leaks:
    input:
        sources=sources("fingerprints"),
        benchmarks=[
            path
            for name in CFG.evaluation.benchmarks
            for path in PLAN.tables("fingerprints", name)
        ],
    output:
        hits=LEAK_HITS,
        page=report(f"{R}/tables/leaks.md", caption="report/leaks.rst", category="Tables"),
    log:
        f"{LOGS}/leaks.log",
    container:
        container_of("cpu")
    resources:
        **booked("leaks"),
    params:
        config=lambda wc: slices.leaks.of(CFG, SHARDS).model_dump_json(),
        version=VERSIONS["leaks"],
    shell:
        'python -m vlprm.cli leaks --sources "{input.sources}" --benchmarks "{input.benchmarks}"'
        " --hits {output.hits} --page {output.page} --config {params.config:q} > {log} 2>&1"

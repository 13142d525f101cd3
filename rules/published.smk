# Sources that enter with published rollouts and verdicts instead of building them.
ruleorder: published > prepare
ruleorder: published > rollout
ruleorder: published > estimate
ruleorder: published > judge


rule published:
    input:
        unpack(published_files),
    output:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        images=f"{R}/images/{{dataset}}/{{shard}}.parquet",
        rollouts=f"{R}/rollouts/{CFG.labels.policy}/{{dataset}}/{{shard}}.parquet",
        estimates=f"{R}/estimates/{CFG.labels.policy}/{{dataset}}/{{shard}}.parquet",
        verdicts=f"{R}/verdicts/{CFG.labels.policy}/{{dataset}}/{{shard}}.parquet",
        unusable=f"{R}/rollouts/{CFG.labels.policy}/{{dataset}}/{{shard}}.unusable.csv",
    log:
        f"{LOGS}/published/{{dataset}}/{{shard}}.log",
    wildcard_constraints:
        dataset="|".join(PLAN.published) or "none",
    container:
        image_of("cpu")
    resources:
        mem_mb=megabytes("published"),
        runtime=minutes("published"),
    params:
        config=lambda wc: slices.PublishedSlice(
            dataset=wc.dataset, kind=PLAN.data[wc.dataset].kind, n=PLAN.data[wc.dataset].n
        ).model_dump_json(),
        version=VERSIONS["published"],
    shell:
        "python -m vlprm.cli published --rollouts {input.rollouts} --requests {input.requests}"
        " --results {input.results} --samples {output.samples} --images {output.images}"
        " --to-rollouts {output.rollouts} --estimates {output.estimates}"
        " --verdicts {output.verdicts} --config {params.config:q} > {log} 2>&1"

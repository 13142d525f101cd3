# Sources that enter with published rollouts and verdicts instead of building them.
ruleorder: import_rollouts > prepare
ruleorder: import_rollouts > rollout
ruleorder: import_rollouts > estimate
ruleorder: import_rollouts > judge


rule import_rollouts:
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
        f"{LOGS}/import_rollouts/{{dataset}}/{{shard}}.log",
    wildcard_constraints:
        dataset="|".join(PLAN.published) or "none",
    container:
        container_of("cpu")
    resources:
        **booked("import_rollouts"),
    params:
        config=lambda wc: slices.import_rollouts.of(CFG, wc.dataset, wc.shard).model_dump_json(),
        version=VERSIONS["import_rollouts"],
    shell:
        "python -m vlprm.cli import-rollouts --rollouts {input.rollouts} --requests {input.requests}"
        " --results {input.results} --samples {output.samples} --images {output.images}"
        " --to-rollouts {output.rollouts} --estimates {output.estimates}"
        " --verdicts {output.verdicts} --config {params.config:q} > {log} 2>&1"

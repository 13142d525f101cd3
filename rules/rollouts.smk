rule rollout:
    input:
        samples=rules.prepare.output.samples,
        images=rules.prepare.output.images,
        weights=policy_model,
    output:
        rollouts=f"{R}/rollouts/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/rollout/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/rollout/{{policy}}/{{dataset}}/{{shard}}.tsv"
    container:
        container_of("gpu")
    threads: cores(PLACED_POLICY)
    resources:
        **booked("rollout", PLACED_POLICY),
    params:
        config=lambda wc: slices.rollout.of(CFG, wc.policy, wc.dataset).model_dump_json(),
        version=VERSIONS["rollout"],
    shell:
        "python -m vlprm.cli rollout --samples {input.samples} --images {input.images}"
        " --weights {input.weights} --rollouts {output.rollouts}"
        " --config {params.config:q} --placement {resources.placement} > {log} 2>&1"

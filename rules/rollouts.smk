rule rollout:
    input:
        samples=rules.prepare.output.samples,
        images=rules.prepare.output.images,
        weights=policy_model,
    output:
        rollouts=f"{R}/rollouts/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/rollout/{{policy}}/{{dataset}}/{{shard}}.log",
    container:
        image_of("gpu")
    resources:
        **PLACED_POLICY,
        mem_mb=ENGINE_MB,
        runtime=minutes("rollout"),
    params:
        config=lambda wc: slices.rollout(CFG, wc.policy, wc.dataset).model_dump_json(),
        version=VERSIONS["rollout"],
    shell:
        "python -m vlprm.cli rollout --samples {input.samples} --images {input.images}"
        " --weights {input.weights} --rollouts {output.rollouts}"
        " --config {params.config:q} --placement {resources.placement} > {log} 2>&1"

rule estimate:
    input:
        samples=rules.prepare.output.samples,
        images=rules.prepare.output.images,
        rollouts=rules.rollout.output.rollouts,
        weights=policy_model,
    output:
        estimates=f"{R}/estimates/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/estimate/{{policy}}/{{dataset}}/{{shard}}.log",
    container:
        image_of("gpu")
    resources:
        **PLACED_POLICY,
        mem_mb=ENGINE_MB,
        runtime=minutes("estimate"),
    params:
        config=lambda wc: slices.estimate(CFG, wc.policy).model_dump_json(),
        version=VERSIONS["estimate"],
    shell:
        "python -m vlprm.cli estimate --samples {input.samples} --images {input.images}"
        " --rollouts {input.rollouts} --weights {input.weights} --estimates {output.estimates}"
        " --config {params.config:q} --placement {resources.placement} > {log} 2>&1"


rule judge:
    input:
        samples=rules.prepare.output.samples,
        images=rules.prepare.output.images,
        rollouts=rules.rollout.output.rollouts,
    output:
        verdicts=f"{R}/verdicts/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/judge/{{policy}}/{{dataset}}/{{shard}}.log",
    container:
        image_of("cpu")
    resources:
        mem_mb=megabytes("judge"),
        runtime=minutes("judge"),
    params:
        config=slices.JudgeSlice(judge=CFG.labels.judge).model_dump_json(),
        version=VERSIONS["judge"],
    shell:
        "python -m vlprm.cli judge --samples {input.samples} --images {input.images}"
        " --rollouts {input.rollouts} --verdicts {output.verdicts}"
        " --config {params.config:q} > {log} 2>&1"


rule label:
    input:
        rollouts=rules.rollout.output.rollouts,
        estimates=rules.estimate.output.estimates,
        verdicts=rules.judge.output.verdicts,
    output:
        labels=f"{R}/labels/{{policy}}/{{dataset}}/{{shard}}.parquet",
        dropped=f"{R}/labels/{{policy}}/{{dataset}}/{{shard}}.dropped.csv",
    log:
        f"{LOGS}/label/{{policy}}/{{dataset}}/{{shard}}.log",
    container:
        image_of("cpu")
    resources:
        mem_mb=megabytes("label"),
        runtime=minutes("label"),
    params:
        config=slices.LabelSlice(
            rule=CFG.labels.rule, min_graded=CFG.labels.estimates.min_graded
        ).model_dump_json(),
        version=VERSIONS["label"],
    shell:
        "python -m vlprm.cli label --rollouts {input.rollouts} --estimates {input.estimates}"
        " --verdicts {input.verdicts} --labels {output.labels} --dropped {output.dropped}"
        " --config {params.config:q} > {log} 2>&1"


rule examples:
    input:
        samples=sources("samples"),
        rollouts=labelled("rollouts"),
        labels=labelled("labels"),
    output:
        examples=f"{R}/examples/examples.parquet",
        dropped=f"{R}/examples/dropped.csv",
    log:
        f"{LOGS}/examples.log",
    container:
        image_of("cpu")
    resources:
        mem_mb=megabytes("examples"),
        runtime=minutes("examples"),
    params:
        config=slices.examples(CFG).model_dump_json(),
        version=VERSIONS["examples"],
    shell:
        'python -m vlprm.cli examples --samples "{input.samples}" --rollouts "{input.rollouts}"'
        ' --labels "{input.labels}" --examples {output.examples} --dropped {output.dropped}'
        " --config {params.config:q} > {log} 2>&1"

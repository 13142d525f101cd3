rule judge:
    input:
        samples=rules.prepare.output.samples,
        images=rules.prepare.output.images,
        rollouts=rules.rollout.output.rollouts,
    output:
        verdicts=f"{R}/verdicts/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/judge/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/judge/{{policy}}/{{dataset}}/{{shard}}.tsv"
    # a judge behind an address is asked where the network and its key are, as fetching is
    localrule: JUDGED_HERE
    container:
        container_unless_deployed("cpu") if JUDGED_HERE else container_of("cpu")
    resources:
        **booked("judge"),
        # changes no verdict: a resource, so that a change reruns nothing
        timeout_seconds=lambda wc: CFG.labels.judge.timeout_seconds,
        access=lambda wc: slices.judge.told(CFG, R),
    params:
        config=lambda wc: slices.judge.of(CFG).model_dump_json(),
        version=VERSIONS["judge"],
    shell:
        "python -m vlprm.cli judge --samples {input.samples} --images {input.images}"
        " --rollouts {input.rollouts} --verdicts {output.verdicts}"
        " --timeout-seconds {resources.timeout_seconds} --access {resources.access:q}"
        " --config {params.config:q} > {log} 2>&1"


rule estimate:
    input:
        samples=rules.prepare.output.samples,
        images=rules.prepare.output.images,
        rollouts=rules.rollout.output.rollouts,
        verdicts=rules.judge.output.verdicts if CFG.labels.judged_first else [],
        weights=policy_model,
    output:
        estimates=f"{R}/estimates/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/estimate/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/estimate/{{policy}}/{{dataset}}/{{shard}}.tsv"
    container:
        container_of("gpu")
    threads: cores(PLACED_POLICY)
    resources:
        **booked("estimate", PLACED_POLICY),
    params:
        config=lambda wc: slices.estimate.of(CFG, wc.policy).model_dump_json(),
        version=VERSIONS["estimate"],
    shell:
        "python -m vlprm.cli estimate --samples {input.samples} --images {input.images}"
        ' --rollouts {input.rollouts} --verdicts "{input.verdicts}"'
        " --weights {input.weights} --estimates {output.estimates}"
        " --config {params.config:q} --placement {resources.placement} > {log} 2>&1"


rule label:
    input:
        rollouts=rules.rollout.output.rollouts,
        estimates=rules.estimate.output.estimates if CFG.labels.estimated else [],
        verdicts=rules.judge.output.verdicts if CFG.labels.judged else [],
        panel=panel_verdicts,
    output:
        labels=f"{R}/labels/{{policy}}/{{dataset}}/{{shard}}.parquet",
        dropped=f"{R}/labels/{{policy}}/{{dataset}}/{{shard}}.dropped.csv",
    log:
        f"{LOGS}/label/{{policy}}/{{dataset}}/{{shard}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("label"),
    params:
        config=slices.label.of(CFG).model_dump_json(),
        version=VERSIONS["label"],
    shell:
        'python -m vlprm.cli label --rollouts {input.rollouts} --estimates "{input.estimates}"'
        ' --verdicts "{input.verdicts}" --panel "{input.panel}"'
        " --labels {output.labels} --dropped {output.dropped}"
        " --config {params.config:q} > {log} 2>&1"


rule examples:
    input:
        samples=sources("samples"),
        rollouts=labelled("rollouts"),
        labels=labelled("labels"),
        hits=[LEAK_HITS] if CFG.leaks and CFG.leaks.drop else [],
        estimates=labelled("estimates") if CFG.labels.examples.soft else [],
    output:
        examples=f"{R}/examples/examples.parquet",
        dropped=f"{R}/examples/dropped.csv",
    log:
        f"{LOGS}/examples.log",
    container:
        container_of("cpu")
    resources:
        **booked("examples"),
    params:
        config=slices.examples.of(CFG, SHARDS).model_dump_json(),
        version=VERSIONS["examples"],
    shell:
        'python -m vlprm.cli examples --samples "{input.samples}" --rollouts "{input.rollouts}"'
        ' --labels "{input.labels}" --hits "{input.hits}"'
        ' --estimates "{input.estimates}" --examples {output.examples} --dropped {output.dropped}'
        " --config {params.config:q} > {log} 2>&1"

rule grade:
    input:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        rollouts=f"{R}/rollouts/{{policy}}/{{dataset}}/{{shard}}.parquet",
    output:
        grades=f"{R}/grades/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/grade/{{policy}}/{{dataset}}/{{shard}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("grade"),
    params:
        config=lambda wc: slices.grade.of(CFG, wc.dataset).model_dump_json(),
        version=VERSIONS["grade"],
    shell:
        "python -m vlprm.cli grade --samples {input.samples} --rollouts {input.rollouts}"
        " --grades {output.grades} --config {params.config:q} > {log} 2>&1"


rule score:
    input:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        images=f"{R}/images/{{dataset}}/{{shard}}.parquet",
        rollouts=f"{R}/rollouts/{{policy}}/{{dataset}}/{{shard}}.parquet",
        weights=prm_weights,
    output:
        scores=f"{R}/scores/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/score/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/score/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.tsv"
    container:
        container_of("gpu")
    threads: cores(PLACED_PRM)
    resources:
        **booked("score", PLACED_PRM),
    params:
        config=lambda wc: slices.score.of(CFG, wc.prm, wc.policy).model_dump_json(),
        version=VERSIONS["score"],
    shell:
        "python -m vlprm.cli score --samples {input.samples} --images {input.images}"
        " --rollouts {input.rollouts} --weights {input.weights} --scores {output.scores}"
        " --config {params.config:q} --placement {resources.placement} > {log} 2>&1"


use rule score as rank with:
    input:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        images=f"{R}/images/{{dataset}}/{{shard}}.parquet",
        rollouts=f"{R}/rollouts/{{policy}}/{{dataset}}/{{shard}}.parquet",
        weights=lambda wc: PLAN.model(CFG.evaluation.llm_judge),
    output:
        scores=f"{R}/ranks/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/rank/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/rank/{{policy}}/{{dataset}}/{{shard}}.tsv"
    threads: cores(PLACED_JUDGE)
    resources:
        **booked("rank", PLACED_JUDGE),
    params:
        config=lambda wc: slices.score.of_judge(CFG, wc.policy).model_dump_json(),
        version=VERSIONS["score"],


rule search:
    input:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        images=f"{R}/images/{{dataset}}/{{shard}}.parquet",
        policy=policy_model,
        prm=prm_weights,
    output:
        rollouts=f"{R}/searches/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.rollouts.parquet",
        scores=f"{R}/searches/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.scores.parquet",
        costs=f"{R}/searches/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.costs.parquet",
    log:
        f"{LOGS}/search/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/search/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.tsv"
    container:
        container_of("gpu")
    threads: cores(PLACED_SEARCH)
    resources:
        **booked("search", PLACED_SEARCH),
    params:
        config=lambda wc: slices.search.of(CFG, wc.search, wc.policy, wc.prm).model_dump_json(),
        version=VERSIONS["search"],
    shell:
        "python -m vlprm.cli search --samples {input.samples} --images {input.images}"
        " --policy {input.policy} --prm {input.prm} --rollouts {output.rollouts}"
        " --scores {output.scores} --costs {output.costs} --config {params.config:q}"
        " --placement {resources.placement} > {log} 2>&1"


use rule grade as grade_search with:
    input:
        samples=f"{R}/samples/{{dataset}}/{{shard}}.parquet",
        rollouts=rules.search.output.rollouts,
    output:
        grades=f"{R}/searches/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.grades.parquet",
    log:
        f"{LOGS}/grade_search/{{search}}/{{prm}}/{{policy}}/{{dataset}}/{{shard}}.log",


rule select:
    input:
        samples=lambda wc: PLAN.tables("samples", wc.benchmark),
        rollouts=lambda wc: PLAN.tables("rollouts", wc.policy, wc.benchmark),
        scores=lambda wc: [
            path
            for prm in CFG.evaluation.prms
            for path in PLAN.tables("scores", prm, wc.policy, wc.benchmark)
        ],
        ranks=lambda wc: (
            PLAN.tables("ranks", wc.policy, wc.benchmark) if CFG.evaluation.llm_judge else []
        ),
    output:
        selections=f"{R}/selections/{{policy}}/{{benchmark}}.parquet",
    log:
        f"{LOGS}/select/{{policy}}/{{benchmark}}.log",
    container:
        container_of("cpu")
    resources:
        **booked("select"),
    params:
        config=lambda wc: slices.select.of(
            CFG, wc.policy, wc.benchmark, SHARDS[wc.benchmark]
        ).model_dump_json(),
        version=VERSIONS["select"],
    shell:
        'python -m vlprm.cli select --samples "{input.samples}" --rollouts "{input.rollouts}"'
        ' --scores "{input.scores}" --ranks "{input.ranks}" --selections {output.selections}'
        " --config {params.config:q} > {log} 2>&1"

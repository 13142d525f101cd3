# Other judges beside the one whose word the label rule takes; only where the configuration asks.
PANEL = CFG.labels.panel.judges if CFG.labels.panel else {}
PANEL_HERE = bool(CFG.labels.panel) and CFG.labels.panel.on_login


use rule judge as judge_panel with:
    output:
        verdicts=f"{R}/panel/{{judge}}/{{policy}}/{{dataset}}/{{shard}}.parquet",
    log:
        f"{LOGS}/judge_panel/{{judge}}/{{policy}}/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{LOGS}/judge_panel/{{judge}}/{{policy}}/{{dataset}}/{{shard}}.tsv"
    localrule: PANEL_HERE
    container:
        container_unless_deployed("cpu") if PANEL_HERE else container_of("cpu")
    resources:
        **booked("judge_panel"),
        timeout_seconds=lambda wc: CFG.labels.panel.judges[wc.judge].timeout_seconds,
        access=lambda wc: slices.judge.told(CFG, R, wc.judge),
    params:
        config=lambda wc: slices.judge.of(CFG, wc.judge).model_dump_json(),
        version=VERSIONS["judge"],


rule judges:
    input:
        rollouts=labelled("rollouts"),
        verdicts=labelled("verdicts"),
        panel=[
            path
            for judge in PANEL
            for name in CFG.sources
            for path in PLAN.tables("panel", judge, CFG.labels.policy, name)
        ],
    output:
        pairs=f"{R}/tables/judges.parquet",
        page=report(f"{R}/tables/judges.md", caption="report/judges.rst", category="Tables"),
    log:
        f"{LOGS}/judges.log",
    container:
        container_of("cpu")
    resources:
        **booked("judges"),
    params:
        config=lambda wc: slices.judge.side_by_side(CFG, SHARDS).model_dump_json(),
        version=VERSIONS["judges"],
    shell:
        'python -m vlprm.cli judges --rollouts "{input.rollouts}" --verdicts "{input.verdicts}"'
        ' --panel "{input.panel}" --pairs {output.pairs} --page {output.page}'
        " --config {params.config:q} > {log} 2>&1"

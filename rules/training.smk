rule train:
    input:
        examples=PLAN.examples(),
        images=PLAN.example_images(),
        base=lambda wc: PLAN.model(CFG.prms[wc.prm].base),
    output:
        weights=f"{R}/prm/{{prm}}/model.safetensors",
    log:
        f"{LOGS}/train/{{prm}}.log",
    benchmark:
        f"{LOGS}/train/{{prm}}.tsv"
    container:
        container_of("gpu")
    threads: cores(PLACED_TRAINING)
    resources:
        **booked("train", PLACED_TRAINING, mem_mb=training_mb),
        # a node; a profile may spread the eight GPUs: nodes=2, gpu=4
        nodes=1,
        # neither changes a byte of the result: resources, so that a change reruns nothing
        workers=lambda wc: recipe(wc).workers,
        save_minutes=lambda wc: int(recipe(wc).save_minutes),
    params:
        config=lambda wc: slices.train.of(CFG, wc.prm).model_dump_json(),
        version=VERSIONS["train"],
    shell:
        "python -m vlprm.cluster.launch --nodes {resources.nodes} --gpus {resources.gpu} "
        'python -m vlprm.cli train --examples {input.examples} --images "{input.images}"'
        " --base {input.base} --weights {output.weights}"
        " --workers {resources.workers} --save-minutes {resources.save_minutes}"
        " --config {params.config:q} --placement {resources.placement} > {log} 2>&1"

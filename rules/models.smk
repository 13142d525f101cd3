rule fetch_model:
    output:
        listing="resources/models/{model}/fetch.json",
    log:
        f"{LOGS}/fetch/model/{{model}}.log",
    container:
        image_unless_deployed("cpu")
    resources:
        mem_mb=4000,
        runtime=minutes("fetch_model"),
    params:
        config=lambda wc: CFG.models[wc.model].hub.model_dump_json(),
        version=VERSIONS["fetch"],
    shell:
        "HF_HUB_OFFLINE=0 python -m vlprm.cli fetch --out {output.listing}"
        " --config {params.config:q} > {log} 2>&1"


rule fetch_image:
    output:
        listing="resources/images/{role}.json",
    log:
        f"{LOGS}/fetch/image/{{role}}.log",
    container:
        image_unless_deployed("cpu")
    resources:
        mem_mb=4000,
        runtime=minutes("fetch_image"),
    params:
        config=lambda wc: IMAGES[wc.role].model_dump_json(),
        folder=str(IMAGE_FOLDER),
        version=VERSIONS["fetch_image"],
    shell:
        "python -m vlprm.cli fetch-image {wildcards.role} {params.folder:q} --out {output.listing}"
        " --config {params.config:q} > {log} 2>&1"


rule base:
    output:
        weights=f"{R}/base/{{model}}/model.safetensors",
    log:
        f"{LOGS}/base/{{model}}.log",
    container:
        image_of("gpu")
    resources:
        mem_mb=4000,
        runtime=minutes("base"),
    params:
        config=lambda wc: slices.BaseSlice(base_model=CFG.base_models[wc.model]).model_dump_json(),
        version=VERSIONS["base"],
    shell:
        "python -m vlprm.cli base --weights {output.weights} --config {params.config:q}"
        " > {log} 2>&1"

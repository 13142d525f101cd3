rule fetch_model:
    output:
        listing="resources/models/{model}/fetch.json",
    log:
        f"{LOGS}/fetch/model/{{model}}.log",
    container:
        container_unless_deployed("cpu")
    resources:
        **booked("fetch_model"),
    params:
        config=lambda wc: CFG.models[wc.model].hub.model_dump_json(),
        version=VERSIONS["fetch"],
    shell:
        "HF_HUB_OFFLINE=0 python -m vlprm.cli fetch --out {output.listing}"
        " --config {params.config:q} > {log} 2>&1"


rule fetch_container:
    output:
        listing="resources/containers/{role}.json",
    log:
        f"{LOGS}/fetch/container/{{role}}.log",
    container:
        container_unless_deployed("cpu")
    resources:
        **booked("fetch_container"),
    params:
        config=lambda wc: CONTAINERS[wc.role].model_dump_json(),
        folder=str(CONTAINER_FOLDER),
        version=VERSIONS["fetch_container"],
    shell:
        "python -m vlprm.cli fetch-container {wildcards.role} {params.folder:q} --out {output.listing}"
        " --config {params.config:q} > {log} 2>&1"


rule base:
    output:
        weights=f"{R}/base/{{model}}/model.safetensors",
    log:
        f"{LOGS}/base/{{model}}.log",
    benchmark:
        f"{LOGS}/base/{{model}}.tsv"
    container:
        container_of("gpu")
    resources:
        **booked("base"),
    params:
        config=lambda wc: slices.base.of(CFG, wc.model).model_dump_json(),
        version=VERSIONS["base"],
    shell:
        "python -m vlprm.cli base --weights {output.weights} --config {params.config:q}"
        " > {log} 2>&1"

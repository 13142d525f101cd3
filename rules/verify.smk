# After a run: its manifest, and its comparison with the expected one. No target asks for them;
# `snakemake ... manifest` and `snakemake ... verify` do.
rule manifest:
    input:
        rules.tables.output,
        rules.figures.output,
        rules.cost_pages.output,
    output:
        manifest=f"{R}/manifest.json",
    log:
        f"{LOGS}/manifest.log",
    container:
        container_of("cpu")
    resources:
        **booked("manifest"),
    params:
        config=lambda wc, output: str(Path(output.manifest).parent),
        version=VERSIONS["manifest"],
    shell:
        "python -m vlprm.cli manifest {params.config} --out {output.manifest} > {log} 2>&1"


rule verify:
    input:
        manifest=rules.manifest.output.manifest,
    output:
        report=f"{R}/verification.txt",
    log:
        f"{LOGS}/verify.log",
    container:
        container_of("cpu")
    resources:
        **booked("verify"),
    params:
        config=f"{workflow.basedir}/configs/expected/{CFG.run}",
        version=VERSIONS["verify"],
    shell:
        "python -m vlprm.cli verify {input.manifest} {params.config:q}"
        " --report {output.report} > {log} 2>&1"


rule crate:
    input:
        manifest=rules.manifest.output.manifest,
    output:
        crate=f"{R}/ro-crate-metadata.json",
    log:
        f"{LOGS}/crate.log",
    container:
        container_of("cpu")
    resources:
        **booked("crate"),
    params:
        config=lambda wc, output: str(Path(output.crate).parent),
        version=VERSIONS["crate"],
    shell:
        "python -m vlprm.cli crate {params.config} {params.config} > {log} 2>&1"

# After a run: its manifest, and its comparison with the published one. No target asks for them;
# `snakemake ... manifest` and `snakemake ... verify` do.
rule manifest:
    input:
        rules.tables.output,
        rules.figures.output,
    output:
        manifest=f"{R}/manifest.json",
    log:
        f"{LOGS}/manifest.log",
    container:
        image_of("cpu")
    resources:
        mem_mb=megabytes("manifest"),
        runtime=minutes("manifest"),
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
        image_of("cpu")
    resources:
        mem_mb=megabytes("verify"),
        runtime=minutes("verify"),
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
        image_of("cpu")
    resources:
        mem_mb=megabytes("crate"),
        runtime=minutes("crate"),
    params:
        config=lambda wc, output: str(Path(output.crate).parent),
        version=VERSIONS["crate"],
    shell:
        "python -m vlprm.cli crate {params.config} {params.config} > {log} 2>&1"

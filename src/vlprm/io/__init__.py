"""Files: Parquet tables of records, image packs, JSON lines, manifests; every write is atomic."""

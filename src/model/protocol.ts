/** The wire protocol of the ingest socket (src/ingest/README.md), as `welcome` and the status say it. */
export const PROTOCOL = 1;

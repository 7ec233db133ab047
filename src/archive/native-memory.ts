/**
 * A setting for the memory of lz4-napi, which has to stand before the package is loaded: what it frees goes back to the
 * system at once. By default its allocator (mimalloc) keeps pages for reuse, and frames of ever other sizes make it keep
 * more and more of them: 110 MiB after half a minute under load, against under 10 so.
 */

process.env.MIMALLOC_PURGE_DELAY ??= '0';

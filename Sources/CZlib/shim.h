#pragma once
#include <string.h>
#include <zlib.h>

/* A macro. Begins to compress with zlib's own memory; negative window bits give a deflate stream without a head. */
static inline int cz_shim_begin(z_stream *stream, int level, int window_bits) {
    memset(stream, 0, sizeof(*stream));
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}

// base64.h: bytes as text (RFC 4648, section 4, padded).
#ifndef RPC_BASE64_H
#define RPC_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t base64_encoded_size(size_t size);

// Writes base64_encoded_size(size) characters to `to`, and no NUL.
void base64_encode(const void *data, size_t size, char *to);

// Decodes to `out`, which has room for size / 4 * 3 bytes. False for anything but the
// one canonical spelling: padded, no whitespace, unused bits zero.
bool base64_decode(const char *text, size_t size, void *out, size_t *out_size);

#endif

// utf8.h: which bytes are text (RFC 3629: no overlong form, no surrogate, nothing
// beyond U+10FFFF).
#ifndef RPC_UTF8_H
#define RPC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The length of the character at `text`, or 0 where there is no valid one.
uint32_t utf8_length(const char *text, const char *end);
bool utf8_valid(const void *data, size_t size);

#endif

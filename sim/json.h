// json.h: writes JSON objects, one field after another, into a buffer.
//
// The simulator keeps free of cJSON, so that it compiles to WebAssembly.
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "kvserver/service/buffer.h"

// Opens an object: after a field's name (json_key), in an array, or at the top.
void json_open(struct buffer *out);
void json_close(struct buffer *out);
void json_open_array(struct buffer *out, const char *key);
void json_close_array(struct buffer *out);

void json_key(struct buffer *out, const char *key);
void json_number(struct buffer *out, const char *key, uint64_t value);
void json_bool(struct buffer *out, const char *key, bool value);
void json_hex(struct buffer *out, const char *key, uint64_t value);
void json_string(struct buffer *out, const char *key, const char *value);

// Any bytes as a string: what is not printable ASCII becomes \u00XX, one a byte.
void json_bytes(struct buffer *out, const char *key, const void *data, size_t size);

// The same as an item of an array.
void json_item(struct buffer *out, const void *data, size_t size);

#endif

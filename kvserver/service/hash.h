// hash.h: a 64-bit hash of bytes, the same on every machine and for ever: the order of
// keys and the hash of a state are made of it.
#ifndef KVSERVER_SERVICE_HASH_H
#define KVSERVER_SERVICE_HASH_H

#include <stdint.h>

#include "kvserver/engine/engine.h"

uint64_t hash_bytes(uint64_t seed, struct bytes bytes);
uint64_t hash_number(uint64_t number);

#endif

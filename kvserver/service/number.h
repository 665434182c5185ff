// number.h: whole numbers as text, with Redis' strictness: no sign but a minus, no
// leading zeroes, no spaces, nothing behind.
#ifndef KVSERVER_SERVICE_NUMBER_H
#define KVSERVER_SERVICE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"

enum { NUMBER_TEXT_MAX = 24 };

bool number_parse(struct bytes text, int64_t *value);
bool number_parse_unsigned(struct bytes text, uint64_t *value);

// Digits alone, as many as there are: zeroes may lead, and none at all is 0.
bool number_parse_digits(struct bytes text, uint64_t *value);

// Writes the digits, at most NUMBER_TEXT_MAX and no NUL; returns how many there are.
size_t number_write(char *text, int64_t value);
size_t number_write_unsigned(char *text, uint64_t value);

#endif

// glob.h: the patterns of KEYS and SCAN.
//
//     *        any bytes, also none        [abc]  one of these      \x  x itself
//     ?        any one byte                [a-z]  one of a range    [^a]  none of these
//
// The fine points are Redis': a class that is never closed ends with the pattern, a
// reversed range is turned round, and a text of no bytes matches only "" and "*".
// Time is bounded by the product of the two lengths.
#ifndef KVSERVER_SERVICE_GLOB_H
#define KVSERVER_SERVICE_GLOB_H

#include <stdbool.h>

#include "kvserver/engine/engine.h"

bool glob_match(struct bytes pattern, struct bytes text);

#endif

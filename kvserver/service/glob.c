// glob.c: the patterns of KEYS and SCAN; see glob.h.
//
// Where a star was passed and what follows it does not match here, trying it one byte
// further on is all that is ever needed: an earlier star could only take bytes that
// the later one can take as well. So there is one place to go back to, not a stack.
#include "kvserver/service/glob.h"

// Whether `c` is in the class whose first byte, behind '[', is at *at; moves *at
// behind the class.
static bool class_has(const char *pattern, size_t size, size_t *at, char c)
{
    size_t i = *at;
    bool negated = i < size && pattern[i] == '^';
    bool found = false;
    i += negated;
    while (i < size && pattern[i] != ']') {
        size_t left = size - i;
        if (left >= 2 && pattern[i] == '\\') {
            found = found || pattern[i + 1] == c;
            i += 2;
        } else if (left >= 3 && pattern[i + 1] == '-') {
            signed char low = (signed char)pattern[i];
            signed char high = (signed char)pattern[i + 2];
            signed char byte = (signed char)c;
            found =
                found || (low <= byte && byte <= high) || (high <= byte && byte <= low);
            i += 3;
        } else {
            found = found || pattern[i] == c;
            i++;
        }
    }
    *at = i < size ? i + 1 : size;
    return found != negated;
}

// Whether the one-byte element at *at matches `c`; moves *at behind it.
static bool element_matches(const char *pattern, size_t size, size_t *at, char c)
{
    size_t i = (*at)++;
    if (pattern[i] == '?')
        return true;
    if (pattern[i] == '[')
        return class_has(pattern, size, at, c);
    if (pattern[i] == '\\' && *at < size)
        i = (*at)++;
    return pattern[i] == c;
}

static size_t skip_stars(const char *pattern, size_t size, size_t at)
{
    while (at < size && pattern[at] == '*')
        at++;
    return at;
}

bool glob_match(struct bytes pattern, struct bytes text)
{
    const char *p = pattern.data;
    const char *t = text.data;
    size_t at = 0;     // in the pattern
    size_t i = 0;      // in the text
    size_t again = 0;  // behind the last star, in the pattern
    size_t taken = 0;  // and what that star has taken, in the text
    bool star = false; // whether there was one
    if (text.size == 0)
        return pattern.size == 0 || (pattern.size == 1 && p[0] == '*');
    while (i < text.size) {
        if (at < pattern.size && p[at] == '*') {
            star = true;
            again = at = skip_stars(p, pattern.size, at);
            taken = i;
            if (at == pattern.size)
                return true;
            continue;
        }
        if (at < pattern.size && element_matches(p, pattern.size, &at, t[i])) {
            i++;
            continue;
        }
        if (!star)
            return false;
        at = again;
        i = ++taken;
    }
    return skip_stars(p, pattern.size, at) == pattern.size;
}

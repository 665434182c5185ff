// number.c: whole numbers as text; see number.h.
#include "kvserver/service/number.h"

#include <string.h>

enum { DIGITS_SAFE = 19 };

bool number_parse_digits(struct bytes text, uint64_t *value)
{
    const char *digits = text.data;
    uint64_t total = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(digits[i] - '0');
        // No number of that few digits is too large.
        if (i >= DIGITS_SAFE && total > (UINT64_MAX - digit) / 10)
            return false;
        total = total * 10 + digit;
    }
    *value = total;
    return true;
}

bool number_parse_unsigned(struct bytes text, uint64_t *value)
{
    const char *digits = text.data;
    if (text.size == 0 || text.size > 20 || (digits[0] == '0' && text.size > 1))
        return false;
    return number_parse_digits(text, value);
}

bool number_parse(struct bytes text, int64_t *value)
{
    const char *digits = text.data;
    bool negative = text.size > 0 && digits[0] == '-';
    if (negative) {
        text.data = digits + 1;
        text.size--;
    }
    uint64_t size;
    if (!number_parse_unsigned(text, &size))
        return false;
    uint64_t max = (uint64_t)INT64_MAX + negative;
    if (size > max || (negative && size == 0)) // "-0" is not how anybody writes zero
        return false;
    *value = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

size_t number_write_unsigned(char *text, uint64_t value)
{
    char reversed[NUMBER_TEXT_MAX];
    size_t size = 0;
    do {
        reversed[size++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < size; i++)
        text[i] = reversed[size - 1 - i];
    return size;
}

size_t number_write(char *text, int64_t value)
{
    if (value >= 0)
        return number_write_unsigned(text, (uint64_t)value);
    text[0] = '-';
    return 1 + number_write_unsigned(text + 1, 0 - (uint64_t)value);
}

#include "msgpack.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------------ writing */

void mp_free(mp_buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

static void put(mp_buffer *buffer, const void *bytes, size_t size)
{
    if (buffer->failed)
        return;
    if (buffer->capacity - buffer->size < size) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity - buffer->size < size)
            capacity *= 2;
        uint8_t *grown = realloc(buffer->data, capacity);
        if (!grown) {
            buffer->failed = true;
            return;
        }
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
}

/* A type byte and a number of so many bytes, most significant first. */
static void put_number(mp_buffer *buffer, uint8_t type, uint64_t value, int bytes)
{
    uint8_t out[9] = {type};
    for (int i = 0; i < bytes; i++)
        out[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    put(buffer, out, 1 + (size_t)bytes);
}

void mp_put_nil(mp_buffer *buffer)
{
    put_number(buffer, 0xc0, 0, 0);
}

void mp_put_bool(mp_buffer *buffer, bool value)
{
    put_number(buffer, value ? 0xc3 : 0xc2, 0, 0);
}

void mp_put_int(mp_buffer *buffer, int64_t value)
{
    if (value >= 0 && value < 128)
        put_number(buffer, (uint8_t)value, 0, 0);
    else
        put_number(buffer, 0xd3, (uint64_t)value, 8);
}

void mp_put_float(mp_buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(buffer, 0xcb, bits, 8);
}

void mp_put_text(mp_buffer *buffer, const char *text)
{
    size_t size = strlen(text);
    if (size < 32)
        put_number(buffer, (uint8_t)(0xa0 | size), 0, 0);
    else
        put_number(buffer, 0xdb, size, 4);
    put(buffer, text, size);
}

void mp_put_array(mp_buffer *buffer, uint32_t items)
{
    put_number(buffer, 0xdd, items, 4);
}

void mp_put_map(mp_buffer *buffer, uint32_t pairs)
{
    put_number(buffer, 0xdf, pairs, 4);
}

void mp_put_floats(mp_buffer *buffer, const double *values, uint32_t count)
{
    mp_put_array(buffer, count);
    for (uint32_t i = 0; i < count; i++)
        mp_put_float(buffer, values[i]);
}

/* ------------------------------------------------------------------------------------------------------------------ reading */

typedef enum { NIL, BOOL, UINT, INT, FLOAT32, FLOAT64, TEXT, BYTES, ARRAY, MAP, BROKEN } form;

typedef struct {
    form form;
    uint64_t number;     /* the value of a number, the length of anything else */
    const uint8_t *body; /* what follows type and length */
} head;

static uint64_t big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* Type, and number or length. */
static head read_head(mp_value value)
{
    static const struct { uint8_t first, last; form form; uint8_t mask; } fixed[] = {
        {0x00, 0x7f, UINT, 0x7f}, {0x80, 0x8f, MAP, 0x0f}, {0x90, 0x9f, ARRAY, 0x0f}, {0xa0, 0xbf, TEXT, 0x1f},
        {0xc0, 0xc0, NIL, 0}, {0xc2, 0xc3, BOOL, 0x01},
    };
    static const struct { uint8_t type; form form; uint8_t bytes; } sized[] = {
        {0xc4, BYTES, 1}, {0xc5, BYTES, 2}, {0xc6, BYTES, 4}, {0xca, FLOAT32, 4}, {0xcb, FLOAT64, 8},
        {0xcc, UINT, 1}, {0xcd, UINT, 2}, {0xce, UINT, 4}, {0xcf, UINT, 8}, {0xd0, INT, 1}, {0xd1, INT, 2}, {0xd2, INT, 4}, {0xd3, INT, 8},
        {0xd9, TEXT, 1}, {0xda, TEXT, 2}, {0xdb, TEXT, 4}, {0xdc, ARRAY, 2}, {0xdd, ARRAY, 4}, {0xde, MAP, 2}, {0xdf, MAP, 4},
    };
    head broken = {BROKEN, 0, NULL};
    if (!value.start || value.start >= value.end)
        return broken;
    uint8_t type = *value.start;
    const uint8_t *rest = value.start + 1;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (type >= fixed[i].first && type <= fixed[i].last)
            return (head){fixed[i].form, type & fixed[i].mask, rest};
    if (type >= 0xe0)
        return (head){INT, (uint64_t)(int64_t)(int8_t)type, rest};
    for (size_t i = 0; i < sizeof sized / sizeof *sized; i++) {
        size_t bytes = sized[i].bytes;
        if (type != sized[i].type || (size_t)(value.end - rest) < bytes)
            continue;
        uint64_t number = big_endian(rest, bytes);
        if (sized[i].form == INT && bytes < 8 && number >> (8 * bytes - 1))
            number |= ~UINT64_C(0) << (8 * bytes); /* carry the sign up */
        return (head){sized[i].form, number, rest + bytes};
    }
    return broken;
}

/* Where the next value begins; NULL where this one is broken. Nested values are counted, not descended into, so that depth costs nothing. */
static const uint8_t *after(mp_value value)
{
    uint64_t pending = 1;
    while (pending--) {
        head h = read_head(value);
        uint64_t left = h.form == BROKEN ? 0 : (uint64_t)(value.end - h.body);
        if (h.form == BROKEN)
            return NULL;
        value.start = h.body;
        if (h.form == TEXT || h.form == BYTES) {
            if (h.number > left)
                return NULL;
            value.start += h.number;
        } else if (h.form == ARRAY || h.form == MAP) {
            if (h.number > left) /* an item takes a byte at least */
                return NULL;
            pending += h.form == MAP ? 2 * h.number : h.number;
        }
    }
    return value.start;
}

bool mp_root(const void *frame, size_t size, mp_value *value)
{
    *value = (mp_value){frame, (const uint8_t *)frame + size};
    return after(*value) == value->end;
}

/* The item at index of those that follow a head. */
static bool nth(mp_value value, head h, uint64_t index, mp_value *out)
{
    value.start = h.body;
    while (value.start && index--)
        value.start = after(value);
    *out = value;
    return value.start != NULL && value.start < value.end;
}

bool mp_get(mp_value map, const char *key, mp_value *value)
{
    head h = read_head(map);
    mp_value at = {h.body, map.end};
    if (h.form != MAP)
        return false;
    for (uint64_t i = 0; i < h.number; i++) {
        bool found = mp_equals(at, key);
        at.start = after(at);
        if (!at.start)
            return false;
        if (found) {
            *value = at;
            return after(at) != NULL;
        }
        at.start = after(at);
        if (!at.start)
            return false;
    }
    return false;
}

bool mp_item(mp_value array, uint32_t index, mp_value *value)
{
    head h = read_head(array);
    return h.form == ARRAY && index < h.number && nth(array, h, index, value);
}

bool mp_length(mp_value array_or_map, uint32_t *length)
{
    head h = read_head(array_or_map);
    *length = (uint32_t)h.number;
    return h.form == ARRAY || h.form == MAP;
}

bool mp_is_nil(mp_value value)
{
    return read_head(value).form == NIL;
}

bool mp_bool(mp_value value, bool *out)
{
    head h = read_head(value);
    *out = h.number != 0;
    return h.form == BOOL;
}

bool mp_int(mp_value value, int64_t *out)
{
    head h = read_head(value);
    *out = (int64_t)h.number;
    return h.form == INT || (h.form == UINT && h.number <= INT64_MAX);
}

bool mp_float(mp_value value, double *out)
{
    head h = read_head(value);
    int64_t whole;
    if (mp_int(value, &whole)) {
        *out = (double)whole;
        return true;
    }
    if (h.form == FLOAT32) {
        uint32_t bits = (uint32_t)h.number;
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        *out = (double)narrow;
        return true;
    }
    memcpy(out, &h.number, sizeof *out);
    return h.form == FLOAT64;
}

bool mp_text(mp_value value, const char **text, size_t *size)
{
    head h = read_head(value);
    if (h.form != TEXT || h.number > (uint64_t)(value.end - h.body))
        return false;
    *text = (const char *)h.body;
    *size = (size_t)h.number;
    return true;
}

bool mp_equals(mp_value value, const char *text)
{
    const char *found;
    size_t size;
    return mp_text(value, &found, &size) && size == strlen(text) && memcmp(found, text, size) == 0;
}

bool mp_copy_text(mp_value value, char *out, size_t capacity)
{
    const char *text;
    size_t size;
    if (!mp_text(value, &text, &size) || size >= capacity)
        return false;
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

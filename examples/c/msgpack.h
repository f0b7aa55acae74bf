/* MessagePack, as much of it as the igrt bus uses: maps with text keys, text, integers, floats, booleans, nil, arrays.
 *
 * A value read is a window into the frame that it came in; nothing is copied and nothing is allocated. Every read is checked
 * against the end of the frame. A text is not terminated by a zero byte.
 */
#ifndef IGRT_MSGPACK_H
#define IGRT_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *data;
    size_t size, capacity;
    bool failed; /* out of memory; what was put is then incomplete */
} mp_buffer;

void mp_free(mp_buffer *buffer);
void mp_put_nil(mp_buffer *buffer);
void mp_put_bool(mp_buffer *buffer, bool value);
void mp_put_int(mp_buffer *buffer, int64_t value);
void mp_put_float(mp_buffer *buffer, double value);
void mp_put_text(mp_buffer *buffer, const char *text);
void mp_put_array(mp_buffer *buffer, uint32_t items);  /* the items follow */
void mp_put_map(mp_buffer *buffer, uint32_t pairs);    /* a key and a value follow, so many times */
void mp_put_floats(mp_buffer *buffer, const double *values, uint32_t count);

typedef struct {
    const uint8_t *start, *end; /* the value begins at start; the frame ends at end */
} mp_value;

/* Each is false where the value is not of that kind, is missing, or reaches beyond the frame. */
bool mp_root(const void *frame, size_t size, mp_value *value); /* the frame is one whole value and nothing else */
bool mp_get(mp_value map, const char *key, mp_value *value);
bool mp_item(mp_value array, uint32_t index, mp_value *value);
bool mp_length(mp_value array_or_map, uint32_t *length);
bool mp_is_nil(mp_value value);
bool mp_bool(mp_value value, bool *out);
bool mp_int(mp_value value, int64_t *out);
bool mp_float(mp_value value, double *out); /* an integer too */
bool mp_text(mp_value value, const char **text, size_t *size);
bool mp_equals(mp_value value, const char *text);
bool mp_copy_text(mp_value value, char *out, size_t capacity); /* terminated; false where it does not fit */

#endif

#include "words.h"

#include <stdio.h>

static const char *const AXES[6] = {"lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg"};

mp_value igrt_field(mp_value map, const char *name)
{
    mp_value value;
    if (!mp_get(map, name, &value))
        igrt_fail("the engine's message has no field %s", name);
    return value;
}

void igrt_text_of(mp_value map, const char *name, char *out, size_t capacity)
{
    if (!mp_copy_text(igrt_field(map, name), out, capacity))
        igrt_fail("%s is no text, or too long", name);
}

int64_t igrt_int_of(mp_value map, const char *name)
{
    int64_t value;
    if (!mp_int(igrt_field(map, name), &value))
        igrt_fail("%s is no integer", name);
    return value;
}

double igrt_float_of(mp_value map, const char *name)
{
    double value;
    if (!mp_float(igrt_field(map, name), &value))
        igrt_fail("%s is no number", name);
    return value;
}

bool igrt_bool_of(mp_value map, const char *name)
{
    bool value;
    if (!mp_bool(igrt_field(map, name), &value))
        igrt_fail("%s is no truth value", name);
    return value;
}

bool igrt_is(mp_value message, const char *kind)
{
    mp_value found;
    return mp_get(message, "kind", &found) && mp_equals(found, kind);
}

void print_axes(const char *what, const double couch[6])
{
    printf("%s", what);
    for (int i = 0; i < 6; i++)
        printf(" %.17g", couch[i]);
    printf("\n");
}

void put_couch(mp_buffer *message, const char *key, const double couch[6])
{
    mp_put_text(message, key);
    mp_put_map(message, 6);
    for (int i = 0; i < 6; i++) {
        mp_put_text(message, AXES[i]);
        mp_put_float(message, couch[i]);
    }
}

void put_pair(mp_buffer *message, const char *key, const char *text)
{
    mp_put_text(message, key);
    mp_put_text(message, text);
}

void read_couch(mp_value couch, double out[6])
{
    for (int i = 0; i < 6; i++)
        out[i] = igrt_float_of(couch, AXES[i]);
}

void fail_with(mp_value error)
{
    char code[IGRT_NAME], sentence[IGRT_TEXT];
    igrt_text_of(error, "code", code, sizeof code);
    igrt_text_of(error, "sentence", sentence, sizeof sentence);
    igrt_fail("%s: %s", code, sentence);
}

mp_value asked(igrt_bus *bus, mp_buffer *message, const char *id, int64_t timeout_ms)
{
    mp_value reply;
    if (!igrt_ask(bus, message, id, timeout_ms, &reply))
        fail_with(reply);
    return reply;
}

void put_or_nil(mp_buffer *message, const char *key, const char *text)
{
    mp_put_text(message, key);
    if (*text)
        mp_put_text(message, text);
    else
        mp_put_nil(message);
}

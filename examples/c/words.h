/* Fields of the bus that recur, written and read. */
#ifndef IGRT_WORDS_H
#define IGRT_WORDS_H

#include "bus.h"

void put_pair(mp_buffer *message, const char *key, const char *text);
void put_or_nil(mp_buffer *message, const char *key, const char *text); /* nil for an empty text */
void put_couch(mp_buffer *message, const char *key, const double couch[6]); /* mm and degrees, IEC 61217, in the order of print_axes */
void read_couch(mp_value couch, double out[6]);
void print_axes(const char *what, const double couch[6]);

/* A request that must succeed; ends the program with the engine's sentence where it does not. */
mp_value asked(igrt_bus *bus, mp_buffer *message, const char *id, int64_t timeout_ms);
void fail_with(mp_value error);

#endif

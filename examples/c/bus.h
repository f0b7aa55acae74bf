/* The igrt bus from the client's side: connect, ask, send slabs, follow events. docs/bus.md is the reference; one thread. */
#ifndef IGRT_BUS_H
#define IGRT_BUS_H

#include "msgpack.h"

#include <stdbool.h>
#include <stdint.h>

#define IGRT_ID 33      /* a message id of 32 hexadecimal digits */
#define IGRT_NAME 65    /* an identifier of the bus: at most 64 characters */
#define IGRT_TEXT 4097

typedef struct {
    void *context, *commands, *images, *events;
    char images_address[256];
    char session[IGRT_TEXT], plan_fingerprint[IGRT_TEXT]; /* of the engine's run, and of the plan in use; empty where not known */
    char followed[IGRT_TEXT];                             /* the run whose events are followed: the last snapshot's */
    int64_t number;                                       /* of the last event followed */
    int64_t heard_ms;                                     /* when anything came on the event socket */
    int snapshots;                                        /* how often the snapshot was asked for */
    uint8_t *reply, *event, *slab_reply;                  /* the last frame of each socket */
} igrt_bus;

int64_t igrt_now_ms(void);
void igrt_pause(int64_t ms);
void igrt_new_id(char id[IGRT_ID]);

/* Whatever is wrong ends the program with a sentence: what an example does, and a linac must not. */
void igrt_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* From the addresses in FOLDER/endpoints.json; returns once the engine's welcome has come and its snapshot is read. */
void igrt_connect(igrt_bus *bus, const char *folder);
void igrt_close(igrt_bus *bus);
void igrt_reconnect_images(igrt_bus *bus); /* as after a broken connection: what was not acknowledged is forgotten */

/* A message is a map; igrt_begin puts kind and header, the caller then puts so many further fields. */
void igrt_begin(igrt_bus *bus, mp_buffer *message, const char *kind, const char *id, uint32_t fields);

/* Send a request and wait for its reply, asking again where none comes. False where it is `error`. Frees the message. */
bool igrt_ask(igrt_bus *bus, mp_buffer *message, const char *id, int64_t timeout_ms, mp_value *reply);
bool igrt_snapshot(igrt_bus *bus, mp_value *reply);

void igrt_send_slab(igrt_bus *bus, mp_buffer *message, const void *voxels, size_t size); /* frees the message */
bool igrt_slab_reply(igrt_bus *bus, int64_t timeout_ms, mp_value *reply);                /* false where none came in time */

/* The next event, or the snapshot's reply where something was missed; fails where none came in time or the engine is silent. */
void igrt_follow(igrt_bus *bus, int64_t timeout_ms, mp_value *event);

/* Fields that must be there. */
mp_value igrt_field(mp_value map, const char *name);
void igrt_text_of(mp_value map, const char *name, char *out, size_t capacity);
int64_t igrt_int_of(mp_value map, const char *name);
double igrt_float_of(mp_value map, const char *name);
bool igrt_bool_of(mp_value map, const char *name);
bool igrt_is(mp_value message, const char *kind);

#endif

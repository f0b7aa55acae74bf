#define _POSIX_C_SOURCE 200809L
#include "bus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define VERSION "igrt/1"
#define RESEND_MS 2000
#define SILENCE_MS 3000
#define ANSWER_MS 30000

void igrt_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "igrt_client: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int64_t igrt_now_ms(void)
{
    return (int64_t)(seconds(CLOCK_MONOTONIC) * 1e3);
}

void igrt_pause(int64_t ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

void igrt_new_id(char id[IGRT_ID])
{
    unsigned char bytes[16];
    FILE *random = fopen("/dev/urandom", "rb");
    if (!random || fread(bytes, 1, sizeof bytes, random) != sizeof bytes)
        igrt_fail("/dev/urandom cannot be read");
    fclose(random);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

/* --------------------------------------------------------------------------------------------------------------- connecting */

/* The text of a key in endpoints.json, a flat object whose texts need no escapes. */
static void address(const char *json, const char *key, char *out, size_t capacity)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(json, quoted);
    const char *from = at ? strchr(at + strlen(quoted), '"') : NULL;
    const char *to = from ? strchr(from + 1, '"') : NULL;
    if (!to || (size_t)(to - from) > capacity)
        igrt_fail("endpoints.json has no address %s", key);
    memcpy(out, from + 1, (size_t)(to - from - 1));
    out[to - from - 1] = '\0';
}

static void *connected(igrt_bus *bus, int type, const char *to)
{
    int none = 0, ipv6 = strchr(to, '[') != NULL;
    void *socket = zmq_socket(bus->context, type);
    if (!socket)
        igrt_fail("no socket: %s", zmq_strerror(errno));
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    if (type == ZMQ_SUB)
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    if (zmq_connect(socket, to) != 0)
        igrt_fail("%s: %s", to, zmq_strerror(errno));
    return socket;
}

/* One message's last frame, kept until the next; false where none came in time. */
static bool receive(void *socket, int64_t timeout_ms, uint8_t **kept, mp_value *value)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, timeout_ms < 0 ? 0 : (long)timeout_ms) <= 0)
        return false;
    size_t size = 0;
    int more = 1;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, 0) < 0)
            igrt_fail("nothing can be received: %s", zmq_strerror(errno));
        size = zmq_msg_size(&frame);
        free(*kept);
        *kept = malloc(size ? size : 1);
        if (!*kept)
            igrt_fail("out of memory");
        memcpy(*kept, zmq_msg_data(&frame), size);
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    if (!mp_root(*kept, size, value))
        igrt_fail("a frame of %zu bytes is no MessagePack", size);
    char version[16];
    igrt_text_of(igrt_field(*value, "header"), "version", version, sizeof version);
    if (strcmp(version, VERSION) != 0)
        igrt_fail("the engine speaks %s and this client " VERSION, version);
    return true;
}

void igrt_connect(igrt_bus *bus, const char *folder)
{
    char path[4096], json[4096] = "", commands[256], events[256];
    memset(bus, 0, sizeof *bus);
    snprintf(path, sizeof path, "%s/endpoints.json", folder);
    FILE *file = fopen(path, "rb");
    if (!file)
        igrt_fail("%s: %s; start an engine", path, strerror(errno));
    json[fread(json, 1, sizeof json - 1, file)] = '\0';
    fclose(file);
    address(json, "commands", commands, sizeof commands);
    address(json, "images", bus->images_address, sizeof bus->images_address);
    address(json, "events", events, sizeof events);
    bus->context = zmq_ctx_new();
    bus->events = connected(bus, ZMQ_SUB, events);
    bus->commands = connected(bus, ZMQ_DEALER, commands);
    bus->images = connected(bus, ZMQ_DEALER, bus->images_address);
    mp_value first, snapshot;
    if (!receive(bus->events, 10000, &bus->event, &first))
        igrt_fail("no engine answers at %s", events);
    bus->heard_ms = igrt_now_ms();
    if (!igrt_snapshot(bus, &snapshot)) /* whatever came first: the subscription stands, so the snapshot misses nothing */
        igrt_fail("the engine gives no snapshot");
}

void igrt_reconnect_images(igrt_bus *bus)
{
    zmq_close(bus->images);
    bus->images = connected(bus, ZMQ_DEALER, bus->images_address);
}

void igrt_close(igrt_bus *bus)
{
    zmq_close(bus->commands);
    zmq_close(bus->images);
    zmq_close(bus->events);
    zmq_ctx_term(bus->context);
    free(bus->reply);
    free(bus->event);
    free(bus->slab_reply);
}

/* ------------------------------------------------------------------------------------------------------- requests and replies */

static void put_text_or_nil(mp_buffer *message, const char *key, const char *text)
{
    mp_put_text(message, key);
    if (*text)
        mp_put_text(message, text);
    else
        mp_put_nil(message);
}

void igrt_begin(igrt_bus *bus, mp_buffer *message, const char *kind, const char *id, uint32_t fields)
{
    mp_put_map(message, 2 + fields);
    mp_put_text(message, "kind");
    mp_put_text(message, kind);
    mp_put_text(message, "header");
    mp_put_map(message, 6);
    mp_put_text(message, "version");
    mp_put_text(message, VERSION);
    mp_put_text(message, "message_id");
    mp_put_text(message, id);
    mp_put_text(message, "session");
    mp_put_text(message, bus->session);
    put_text_or_nil(message, "plan_fingerprint", bus->plan_fingerprint);
    mp_put_text(message, "utc_unix_s");
    mp_put_float(message, seconds(CLOCK_REALTIME));
    mp_put_text(message, "monotonic_s");
    mp_put_float(message, seconds(CLOCK_MONOTONIC));
}

static void optional_text(mp_value map, const char *name, char *out, size_t capacity)
{
    mp_value value;
    out[0] = '\0';
    if (mp_get(map, name, &value) && !mp_is_nil(value) && !mp_copy_text(value, out, capacity))
        igrt_fail("%s is no text, or too long", name);
}

/* The run and the plan in use, as the header of a welcome, snapshot_reply or load_plan_reply names them. */
static void take_header(igrt_bus *bus, mp_value message)
{
    mp_value header = igrt_field(message, "header");
    optional_text(header, "session", bus->session, sizeof bus->session);
    optional_text(header, "plan_fingerprint", bus->plan_fingerprint, sizeof bus->plan_fingerprint);
}

bool igrt_ask(igrt_bus *bus, mp_buffer *message, const char *id, int64_t timeout_ms, mp_value *reply)
{
    int64_t deadline_ms = igrt_now_ms() + timeout_ms, wait_ms = RESEND_MS;
    if (message->failed)
        igrt_fail("out of memory");
    for (;;) {
        if (zmq_send(bus->commands, message->data, message->size, 0) < 0)
            igrt_fail("a request cannot be sent: %s", zmq_strerror(errno));
        int64_t now_ms, resend_ms = igrt_now_ms() + wait_ms;
        if (resend_ms > deadline_ms)
            resend_ms = deadline_ms;
        while ((now_ms = igrt_now_ms()) < resend_ms) {
            if (!receive(bus->commands, resend_ms - now_ms, &bus->reply, reply))
                continue;
            if (!mp_equals(igrt_field(*reply, "request_id"), id))
                continue; /* a reply that came late, to a request that was sent twice */
            mp_free(message);
            if (igrt_is(*reply, "load_plan_reply") || igrt_is(*reply, "snapshot_reply"))
                take_header(bus, *reply);
            return !igrt_is(*reply, "error");
        }
        if (now_ms >= deadline_ms)
            igrt_fail("no reply within %lld ms", (long long)timeout_ms);
        wait_ms *= 2;
    }
}

bool igrt_snapshot(igrt_bus *bus, mp_value *reply)
{
    mp_buffer message = {0};
    char id[IGRT_ID];
    igrt_new_id(id);
    igrt_begin(bus, &message, "snapshot", id, 0);
    bool told = igrt_ask(bus, &message, id, ANSWER_MS, reply);
    if (told) {
        memcpy(bus->followed, bus->session, sizeof bus->followed);
        bus->number = igrt_int_of(*reply, "number");
        bus->snapshots++;
    }
    return told;
}

/* -------------------------------------------------------------------------------------------------------------------- slabs */

void igrt_send_slab(igrt_bus *bus, mp_buffer *message, const void *voxels, size_t size)
{
    if (message->failed)
        igrt_fail("out of memory");
    if (zmq_send(bus->images, message->data, message->size, ZMQ_SNDMORE) < 0 || zmq_send(bus->images, voxels, size, 0) < 0)
        igrt_fail("a slab cannot be sent: %s", zmq_strerror(errno));
    mp_free(message);
}

bool igrt_slab_reply(igrt_bus *bus, int64_t timeout_ms, mp_value *reply)
{
    return receive(bus->images, timeout_ms, &bus->slab_reply, reply);
}

/* ------------------------------------------------------------------------------------------------------------------- events */

void igrt_follow(igrt_bus *bus, int64_t timeout_ms, mp_value *event)
{
    int64_t deadline_ms = igrt_now_ms() + timeout_ms;
    for (;;) {
        int64_t now_ms = igrt_now_ms(), until_ms = bus->heard_ms + SILENCE_MS;
        if (until_ms > deadline_ms)
            until_ms = deadline_ms;
        if (!receive(bus->events, until_ms - now_ms, &bus->event, event)) {
            now_ms = igrt_now_ms();
            if (now_ms >= deadline_ms)
                igrt_fail("nothing of what was waited for came within %lld ms", (long long)timeout_ms);
            if (now_ms - bus->heard_ms >= SILENCE_MS)
                igrt_fail("the engine has not been heard for 3 s; trust nothing shown before");
            continue;
        }
        bus->heard_ms = igrt_now_ms();
        mp_value number;
        int64_t told = 0;
        bool numbered = mp_get(*event, "number", &number) && mp_int(number, &told);
        if (igrt_is(*event, "heartbeat"))
            told = igrt_int_of(*event, "last_number");
        bool same_run = mp_equals(igrt_field(igrt_field(*event, "header"), "session"), bus->followed);
        bool missed = !same_run || told > bus->number + (numbered ? 1 : 0);
        if (missed) {
            if (!igrt_snapshot(bus, event))
                igrt_fail("the engine gives no snapshot");
            return;
        }
        if (numbered && told == bus->number + 1) {
            bus->number = told;
            return;
        }
    }
}

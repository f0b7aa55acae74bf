/* The imager: loads the plan and sends the image, slab by slab, as docs/bus.md tells it under "Sending an image". */
#include "roles.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_SLICES 4096
#define ATTEMPTS 8
#define PAUSE_MS 20
#define RESEND_MS 2000
#define PLAN_MS 600000

void load_plan(igrt_bus *bus, const options *o)
{
    mp_buffer message = {0};
    char id[IGRT_ID];
    igrt_new_id(id);
    igrt_begin(bus, &message, "load_plan", id, 2);
    put_pair(&message, "path", o->plan);
    mp_put_text(&message, "fraction");
    mp_put_int(&message, o->loaded.fraction);
    mp_value reply = asked(bus, &message, id, PLAN_MS);
    char machine[IGRT_TEXT];
    igrt_text_of(reply, "machine", machine, sizeof machine);
    printf("plan %s on %s\n", bus->plan_fingerprint, machine);
}

/* Announce the image, or go on with it: the reply says what is missing. */
static mp_value begin_image(igrt_bus *bus, const options *o)
{
    mp_buffer message = {0};
    char id[IGRT_ID];
    igrt_new_id(id); /* a new one each time: a repeated id would get the first reply, with what was missing then */
    igrt_begin(bus, &message, "begin_image", id, 5);
    put_pair(&message, "image_id", o->image_id);
    put_pair(&message, "position", o->position);
    put_couch(&message, "couch", o->couch);
    mp_put_text(&message, "isocentre_mm");
    if (isnan(o->daily_isocentre_mm[0]))
        mp_put_nil(&message);
    else
        mp_put_floats(&message, o->daily_isocentre_mm, 3);
    mp_put_text(&message, "grid");
    mp_put_map(&message, 3);
    mp_put_text(&message, "shape_kji");
    mp_put_array(&message, 3);
    for (int i = 0; i < 3; i++)
        mp_put_int(&message, o->shape_kji[i]);
    mp_put_text(&message, "origin_mm");
    mp_put_floats(&message, o->origin_mm, 3);
    mp_put_text(&message, "spacing_mm");
    mp_put_floats(&message, o->spacing_mm, 3);
    return asked(bus, &message, id, ANSWER_MS);
}

typedef struct {
    int64_t start, slices;
    char id[IGRT_ID]; /* of the message that is under way; empty where none is */
    int64_t not_before_ms;
    int attempts;
    bool stored;
} slab;

/* Cut what is missing into slabs, in the order in which they are to be sent. */
static size_t cut(mp_value missing, const options *o, slab *slabs)
{
    uint32_t ranges = 0;
    size_t count = 0;
    if (!mp_length(missing, &ranges))
        igrt_fail("missing is no list");
    for (uint32_t r = 0; r < ranges; r++) {
        mp_value range, first, end;
        int64_t k, stop;
        if (!mp_item(missing, r, &range) || !mp_item(range, 0, &first) || !mp_item(range, 1, &end) || !mp_int(first, &k)
            || !mp_int(end, &stop))
            igrt_fail("missing holds no ranges");
        for (; k < stop && count < MOST_SLICES; k += o->slab_slices) {
            int64_t slices = stop - k < o->slab_slices ? stop - k : o->slab_slices;
            slabs[count++] = (slab){.start = k, .slices = slices};
        }
    }
    for (size_t i = count; i > 1; i--) { /* any order will do, and so this one is shuffled */
        size_t j = options_random(i);
        slab swapped = slabs[i - 1];
        slabs[i - 1] = slabs[j];
        slabs[j] = swapped;
    }
    return count;
}

static uint32_t crc32_of(const unsigned char *bytes, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static void send_slab(igrt_bus *bus, const options *o, slab *s)
{
    mp_buffer message = {0};
    size_t slice_bytes = (size_t)(o->shape_kji[1] * o->shape_kji[2]) * 2;
    size_t size = (size_t)s->slices * slice_bytes;
    const unsigned char *voxels = o->voxels + (size_t)s->start * slice_bytes;
    if (++s->attempts > ATTEMPTS)
        igrt_fail("the slab from slice %lld was refused %d times", (long long)s->start, ATTEMPTS);
    igrt_new_id(s->id);
    igrt_begin(bus, &message, "slab", s->id, 5);
    put_pair(&message, "image_id", o->image_id);
    mp_put_text(&message, "k_start");
    mp_put_int(&message, s->start);
    mp_put_text(&message, "slices");
    mp_put_int(&message, s->slices);
    mp_put_text(&message, "length_bytes");
    mp_put_int(&message, (int64_t)size);
    mp_put_text(&message, "crc32");
    mp_put_int(&message, crc32_of(voxels, size));
    igrt_send_slab(bus, &message, voxels, size);
}

/* Take one acknowledgement; true where a slab of these is on disk by it. */
static bool acknowledged(mp_value reply, slab *slabs, size_t count)
{
    char code[IGRT_NAME];
    for (size_t i = 0; i < count; i++) {
        if (!slabs[i].id[0] || !mp_equals(igrt_field(reply, "request_id"), slabs[i].id))
            continue;
        slabs[i].id[0] = '\0';
        if (igrt_is(reply, "slab_stored"))
            return slabs[i].stored = true;
        igrt_text_of(reply, "code", code, sizeof code);
        if (strcmp(code, "no_credit") == 0) /* slabs of the connection that broke off are still being written */
            slabs[i].not_before_ms = igrt_now_ms() + (PAUSE_MS << slabs[i].attempts);
        else if (strcmp(code, "bad_slab") != 0)
            fail_with(reply);
        return false; /* it is sent again in its turn */
    }
    return false; /* of a slab that has been sent again since */
}

/* Send what `begun` says is missing. False where the connection broke off after `o->break_after` acknowledgements, or slabs got lost. */
static bool send_missing(igrt_bus *bus, const options *o, mp_value begun, int64_t *stored)
{
    static slab slabs[MOST_SLICES];
    int64_t credit = igrt_int_of(begun, "credit_slabs"), heard_ms = igrt_now_ms();
    size_t count = cut(igrt_field(begun, "missing"), o, slabs), left = count;
    while (left) {
        int64_t under_way = 0;
        for (size_t i = 0; i < count; i++)
            under_way += slabs[i].id[0] != '\0';
        for (size_t i = 0; i < count && under_way < credit; i++)
            if (!slabs[i].stored && !slabs[i].id[0] && slabs[i].not_before_ms <= igrt_now_ms()) {
                send_slab(bus, o, &slabs[i]);
                under_way++;
            }
        mp_value reply;
        if (!igrt_slab_reply(bus, PAUSE_MS, &reply)) {
            if (igrt_now_ms() - heard_ms >= RESEND_MS)
                return false; /* nothing is heard: ask what is missing */
            continue;
        }
        heard_ms = igrt_now_ms();
        if (!acknowledged(reply, slabs, count))
            continue;
        left--;
        if (++*stored == o->break_after)
            return false;
    }
    return true;
}

void send_image(igrt_bus *bus, const options *o)
{
    int64_t stored = 0;
    int times = 1;
    for (; !send_missing(bus, o, begin_image(bus, o), &stored); times++) {
        if (times == ATTEMPTS)
            igrt_fail("the image broke off %d times", times);
        igrt_reconnect_images(bus);
    }
    printf("image %s sent, %lld slabs acknowledged, begun %d times\n", o->image_id, (long long)stored, times);
    mp_buffer message = {0};
    char id[IGRT_ID];
    igrt_new_id(id);
    igrt_begin(bus, &message, "end_image", id, 2);
    put_pair(&message, "image_id", o->image_id);
    put_couch(&message, "couch", o->couch);
    asked(bus, &message, id, ANSWER_MS);
}

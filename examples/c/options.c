#include "options.h"
#include "bus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

size_t options_random(size_t below)
{
    state ^= state << 13; /* xorshift64 */
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % below);
}

/* So many numbers, separated by commas. */
static void numbers(const char *name, const char *text, double *out, int count)
{
    for (int i = 0; i < count; i++) {
        char *end;
        out[i] = strtod(text, &end);
        if (end == text || *end != (i + 1 < count ? ',' : '\0'))
            igrt_fail("%s takes %d numbers separated by commas", name, count);
        text = end + 1;
    }
}

static int64_t whole(const char *name, const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end)
        igrt_fail("%s takes a whole number", name);
    return value;
}

static void read_voxels(options *o)
{
    size_t size = (size_t)(o->shape_kji[0] * o->shape_kji[1] * o->shape_kji[2]) * 2;
    FILE *file = fopen(o->image, "rb");
    o->voxels = malloc(size + 1);
    if (!file || !o->voxels || fread(o->voxels, 1, size + 1, file) != size)
        igrt_fail("%s does not hold %zu bytes of voxels", o->image, size);
    fclose(file);
}

static void read_one(options *o, const char *name, const char *value)
{
    const struct { const char *name, **text; } texts[] = {
        {"engine", &o->engine}, {"plan", &o->plan}, {"image", &o->image}, {"image_id", &o->image_id}, {"position", &o->position},
        {"patient_id", &o->loaded.patient_id}, {"plan_uid", &o->loaded.plan_uid}, {"plan_revision", &o->loaded.plan_revision},
        {"plan_approval", &o->loaded.plan_approval}, {"beam", &o->loaded.beam}, {"machine", &o->loaded.machine},
    };
    const struct { const char *name; double *numbers; int count; } lists[] = {
        {"origin_mm", o->origin_mm, 3}, {"spacing_mm", o->spacing_mm, 3}, {"couch", o->couch, 6},
        {"isocentre_mm", o->loaded.isocentre_mm, 3}, {"daily_isocentre_mm", o->daily_isocentre_mm, 3},
    };
    const struct { const char *name; int64_t *number; } wholes[] = {
        {"fraction", &o->loaded.fraction}, {"slab_slices", &o->slab_slices}, {"break_after", &o->break_after}, {"seed", &o->seed},
        {"move_ms", &o->move_ms},
        {"slices", &o->shape_kji[0]}, {"rows", &o->shape_kji[1]}, {"columns", &o->shape_kji[2]},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = value;
            return;
        }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(name, lists[i].name) == 0) {
            numbers(name, value, lists[i].numbers, lists[i].count);
            return;
        }
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        if (strcmp(name, wholes[i].name) == 0) {
            *wholes[i].number = whole(name, value);
            return;
        }
    igrt_fail("%s is no option; README.md lists them", name);
}

void options_read(options *o, int count, char **arguments)
{
    *o = (options){
        .image_id = "image-1", .position = "HFS", .spacing_mm = {1, 1, 1}, .daily_isocentre_mm = {NAN, NAN, NAN},
        .slab_slices = 8, .seed = 1, .loaded = {"", "", "", "", "", "", 1, {0}},
    };
    for (int i = 1; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (!equals)
            igrt_fail("%s is no NAME=VALUE; README.md lists them", arguments[i]);
        *equals = '\0';
        read_one(o, arguments[i], equals + 1);
    }
    if (!o->engine || !o->plan || !o->image)
        igrt_fail("engine=FOLDER, plan=PATH and image=FILE are needed");
    for (int i = 0; i < 3; i++)
        if (o->shape_kji[i] < 1 || o->shape_kji[i] > 4096)
            igrt_fail("slices, rows and columns are needed, 1 to 4096 of each");
    if (o->slab_slices < 1)
        igrt_fail("slab_slices takes a number from 1");
    state = (uint64_t)o->seed * 2654435761u + 88172645463325252u;
    read_voxels(o);
}

void options_free(options *o)
{
    free(o->voxels);
}

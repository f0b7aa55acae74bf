/* What the example is told on its command line, as NAME=VALUE; lists are separated by commas. */
#ifndef IGRT_OPTIONS_H
#define IGRT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *patient_id, *plan_uid, *plan_revision, *plan_approval, *beam, *machine; /* empty where the linac does not know */
    int64_t fraction;
    double isocentre_mm[3];
} loaded_plan;

typedef struct {
    const char *engine, *plan, *image, *image_id, *position; /* folder with endpoints.json; as the engine sees it; raw int16 file */
    double origin_mm[3], spacing_mm[3], daily_isocentre_mm[3]; /* the last not a number where the image does not state it */
    double couch[6]; /* lateral, longitudinal, vertical (mm), pitch, roll, yaw (deg); IEC 61217 */
    int64_t shape_kji[3], slab_slices, break_after, seed, move_ms;
    loaded_plan loaded;
    unsigned char *voxels;
} options;

void options_read(options *o, int count, char **arguments); /* ends the program with a sentence where something is wrong */
void options_free(options *o);
size_t options_random(size_t below);

#endif

/* The roles that igrt_client.c plays one after another. */
#ifndef IGRT_ROLES_H
#define IGRT_ROLES_H

#include "options.h"
#include "words.h"

#define ANSWER_MS 60000

/* What has been told of the image. */
typedef struct {
    char proposal_id[IGRT_NAME], token[IGRT_TEXT]; /* empty until there is one */
    bool closed, verification_needed;
} story;

void load_plan(igrt_bus *bus, const options *o);
void send_image(igrt_bus *bus, const options *o);

/* Follow one step on. A snapshot tells at once what events would have told one by one. */
void hear(igrt_bus *bus, const options *o, story *told);

void report_machine(igrt_bus *bus, const options *o, bool beam_on);

/* The target of the released correction; a second claim must be denied. */
void claim_twice(igrt_bus *bus, const options *o, const story *told, double target[6]);
void move_couch(igrt_bus *bus, const options *o, const char *proposal_id, const double target[6]);

/* Stop, say so, and end: to move again needs a new release. */
void hold(igrt_bus *bus, mp_value told);

#endif

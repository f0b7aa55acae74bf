/* The linac: says what it has loaded, claims once, moves (it only says so) and reads its couch back, holds when it is told. */
#include "roles.h"

#include <stdio.h>
#include <string.h>

void report_machine(igrt_bus *bus, const options *o, bool beam_on)
{
    const loaded_plan *plan = &o->loaded;
    mp_buffer message = {0};
    char id[IGRT_ID], state[IGRT_TEXT];
    igrt_new_id(id);
    igrt_begin(bus, &message, "report_machine", id, 4);
    mp_put_text(&message, "loaded");
    mp_put_map(&message, 8);
    put_or_nil(&message, "patient_id", plan->patient_id);
    put_or_nil(&message, "plan_uid", plan->plan_uid);
    put_or_nil(&message, "plan_revision", plan->plan_revision);
    put_or_nil(&message, "plan_approval", plan->plan_approval);
    mp_put_text(&message, "fraction");
    mp_put_int(&message, plan->fraction);
    mp_put_text(&message, "isocentre_mm");
    mp_put_floats(&message, plan->isocentre_mm, 3);
    put_or_nil(&message, "beam", plan->beam);
    put_or_nil(&message, "machine", plan->machine);
    mp_put_text(&message, "beam_on");
    mp_put_bool(&message, beam_on);
    mp_put_text(&message, "simulated");
    mp_put_bool(&message, true);
    mp_put_text(&message, "units");
    mp_put_map(&message, 3);
    put_pair(&message, "length", "mm");
    put_pair(&message, "angle", "deg");
    put_pair(&message, "couch_scale", "iec61217");
    mp_value reply = asked(bus, &message, id, ANSWER_MS);
    igrt_text_of(reply, "state", state, sizeof state);
    printf("machine reported, beam %s: %s\n", beam_on ? "on" : "off", state);
}

/* Ask for the correction under this message id; true and the target where it is released, else the denials are printed. */
static bool claim(igrt_bus *bus, const options *o, const char *id, const char *proposal_id, const char *token, double target[6])
{
    mp_buffer message = {0};
    igrt_begin(bus, &message, "claim", id, 3);
    put_pair(&message, "proposal_id", proposal_id);
    put_pair(&message, "token", token);
    put_couch(&message, "couch", o->couch);
    mp_value reply = asked(bus, &message, id, ANSWER_MS), release = igrt_field(reply, "release");
    if (!mp_is_nil(release)) {
        read_couch(igrt_field(release, "target"), target);
        return true;
    }
    mp_value denials = igrt_field(reply, "denials"), denial;
    for (uint32_t i = 0; mp_item(denials, i, &denial); i++) {
        char rule[IGRT_TEXT], sentence[IGRT_TEXT];
        igrt_text_of(denial, "rule", rule, sizeof rule);
        igrt_text_of(denial, "sentence", sentence, sizeof sentence);
        printf("denied %s: %s\n", rule, sentence);
    }
    return false;
}

/* True where the couch may go on. */
static bool report_couch(igrt_bus *bus, const char *proposal_id, const char *phase, const double couch[6])
{
    mp_buffer message = {0};
    char id[IGRT_ID], state[IGRT_TEXT];
    igrt_new_id(id);
    igrt_begin(bus, &message, "report_couch", id, 3);
    put_pair(&message, "proposal_id", proposal_id);
    put_pair(&message, "phase", phase);
    put_couch(&message, "couch", couch);
    mp_value reply = asked(bus, &message, id, ANSWER_MS);
    igrt_text_of(reply, "state", state, sizeof state);
    printf("couch %s: %s\n", phase, state);
    return !igrt_bool_of(reply, "hold");
}

void hold(igrt_bus *bus, mp_value told)
{
    char hold_id[IGRT_NAME], reason[IGRT_TEXT], id[IGRT_ID];
    igrt_text_of(told, "hold_id", hold_id, sizeof hold_id);
    igrt_text_of(told, "reason", reason, sizeof reason);
    mp_buffer message = {0};
    igrt_new_id(id);
    igrt_begin(bus, &message, "acknowledge_hold", id, 1);
    put_pair(&message, "hold_id", hold_id);
    asked(bus, &message, id, ANSWER_MS);
    igrt_fail("held: %s", reason);
}

void move_couch(igrt_bus *bus, const options *o, const char *proposal_id, const double target[6])
{
    double half[6];
    for (int i = 0; i < 6; i++)
        half[i] = (o->couch[i] + target[i]) / 2;
    if (!report_couch(bus, proposal_id, "start", o->couch))
        return;
    igrt_pause(o->move_ms);
    if (report_couch(bus, proposal_id, "during", half))
        report_couch(bus, proposal_id, "after", target); /* else the couch stays where it is: the event `hold` says why */
}

void claim_twice(igrt_bus *bus, const options *o, const story *told, double target[6])
{
    char first[IGRT_ID], second[IGRT_ID];
    double again[6];
    igrt_new_id(first);
    igrt_new_id(second);
    report_machine(bus, o, false);
    if (!claim(bus, o, first, told->proposal_id, told->token, target))
        igrt_fail("the claim was denied");
    print_axes("released", target);
    if (!claim(bus, o, first, told->proposal_id, told->token, again) || memcmp(target, again, sizeof again) != 0)
        igrt_fail("the repeated claim got another reply");
    report_machine(bus, o, false);
    if (claim(bus, o, second, told->proposal_id, told->token, again))
        igrt_fail("a second claim was not denied");
}

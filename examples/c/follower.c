/* The follower: what has been told of the image, event by event, or at once by a snapshot where something was missed. */
#include "roles.h"

#include <stdio.h>

static void hear_result(mp_value result, const options *o, story *told)
{
    char verdict[IGRT_NAME];
    mp_value image_id;
    if (!mp_get(result, "image_id", &image_id) || !mp_equals(image_id, o->image_id))
        return;
    if (igrt_is(result, "refusal"))
        igrt_fail("the match was refused");
    if (igrt_is(result, "image_failed"))
        fail_with(result);
    if (!igrt_is(result, "proposal") || told->proposal_id[0])
        return;
    igrt_text_of(igrt_field(result, "answer"), "verdict", verdict, sizeof verdict);
    igrt_text_of(result, "proposal_id", told->proposal_id, sizeof told->proposal_id);
    printf("proposal %s %s\n", told->proposal_id, verdict);
}

static void hear_approval(mp_value approved, story *told)
{
    char by[IGRT_TEXT];
    if (!igrt_is(approved, "approved") || !mp_equals(igrt_field(approved, "proposal_id"), told->proposal_id))
        return;
    igrt_text_of(approved, "token", told->token, sizeof told->token);
    igrt_text_of(approved, "by", by, sizeof by);
    printf("approved by %s\n", by);
}

static void hear_closing(mp_value closed, bool within, story *told)
{
    uint32_t reasons = 0;
    mp_length(igrt_field(closed, "verification"), &reasons);
    told->closed = true;
    told->verification_needed = reasons > 0;
    printf("closed %s, %s\n", within ? "within" : "off",
           reasons ? "verification image needed" : "no verification image needed");
}

void hear(igrt_bus *bus, const options *o, story *told)
{
    mp_value event;
    igrt_follow(bus, ANSWER_MS, &event);
    if (igrt_is(event, "snapshot_reply")) {
        mp_value standing = igrt_field(event, "standing"), held = igrt_field(standing, "hold");
        printf("missed something: asked for the snapshot\n");
        hear_result(igrt_field(event, "result"), o, told);
        hear_approval(igrt_field(standing, "approved"), told);
        if (mp_equals(igrt_field(event, "state"), "in_position"))
            hear_closing(standing, true, told);
        if (!mp_is_nil(held))
            hold(bus, held);
        return;
    }
    hear_result(event, o, told);
    hear_approval(event, told);
    if (igrt_is(event, "chain_closed"))
        hear_closing(event, igrt_bool_of(event, "within"), told);
    if (igrt_is(event, "hold"))
        hold(bus, event);
}

/* Imager, follower and linac in one, written from docs/bus.md and docs/asyncapi.json alone: loads a plan, sends an image, follows
 * events, claims the correction that a person approves, is denied a second claim, and reports the couch as moved.
 *
 * Real machines keep these roles apart. This one moves nothing: it says that it is simulated, and reports its target as reached.
 */
#include "roles.h"

#include <stdio.h>

int main(int count, char **arguments)
{
    static igrt_bus bus;
    static options o;
    static story told;
    double target[6];
    options_read(&o, count, arguments);
    igrt_connect(&bus, o.engine);
    load_plan(&bus, &o);
    send_image(&bus, &o);
    while (!told.token[0])
        hear(&bus, &o, &told);
    claim_twice(&bus, &o, &told, target);
    move_couch(&bus, &o, told.proposal_id, target);
    while (!told.closed)
        hear(&bus, &o, &told);
    if (!told.verification_needed) {
        report_machine(&bus, &o, true);
        report_machine(&bus, &o, false);
    }
    printf("followed to event %lld, %d snapshots\n", (long long)bus.number, bus.snapshots);
    igrt_close(&bus);
    options_free(&o);
    return 0;
}

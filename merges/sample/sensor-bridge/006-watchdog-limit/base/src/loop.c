#include "loop.h"

#include "watchdog.h"

/* The watchdog bites after 500 ms,
   so one round has to be shorter. */
#define ROUND_MS 600
#define PAUSE_MS 50

static void (*jobs[8])(void);
static int job_count;

/* Adds what is done in each round. */
int loop_add(void (*job)(void))
{
    if (job_count == 8)
        return -1;
    jobs[job_count++] = job;
    return 0;
}

void loop_run(void)
{
    unsigned long start = millis();
    for (int i = 0; i < job_count; i++)
        jobs[i]();
    watchdog_kick();
    while (millis() - start < ROUND_MS)
        delay(PAUSE_MS);
}

void loop_stop(void)
{
    job_count = 0;
    // what is under way
    // comes to its end
    watchdog_kick();
}

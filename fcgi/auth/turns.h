/* Others' turns while this process computes for tens of milliseconds (docs/adr/0019). */
#ifndef LECTERN_AUTH_TURNS_H
#define LECTERN_AUTH_TURNS_H

/* Between the two, the core is offered to others every millisecond, by SIGRTMIN and a timer.
 * Whoever had to wait too long for a core that it offered keeps it for a while instead: on a
 * machine that never rests, an offer costs as much as a whole computation. Only system calls that
 * go on by themselves after a signal may be made in between. Without a timer nothing is offered. */
void turns_begin(void);
void turns_end(void);

#endif
